-- Purpose: when a mention should be looked up again, to see whether it is gone or its counts moved.
-- Grain: one row per live mention with a text. Reads: mention. Read by: pipelines/load.py.
-- Units: `due_at` is UTC. Caveat: the wait is a quarter of the age at the last sight, between 15
--   minutes and 2 days: a fresh post often, an old one seldom, so that the number of look-ups
--   grows with the logarithm of age. Not published: it holds native ids.
create or replace view recheck_plan as
select
    mention.source_name,
    mention.native_id,
    mention.published_at,
    mention.last_seen_at,
    mention.last_seen_at + least(
        greatest((mention.last_seen_at - mention.published_at) / 4, interval '15 minutes'),
        interval '2 days'
    ) as due_at
from mention
where mention.deleted_at is null and mention.text_expired_at is null and not mention.is_own;

comment on view recheck_plan is
'One row per live mention: when it should be looked up again (due_at, UTC). Internal.';
