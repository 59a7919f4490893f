-- Purpose: when a mention should be looked up again, to see whether it is gone or its counts moved.
-- Grain: one row per live mention with a text, or without one because its author asks for it.
-- Reads: mention, recheck. Read by: queries/recheck_due.
-- Units: `due_at` is UTC, `wait` an interval. Caveat: the wait is a quarter of the age at the last
--   look, between 15 minutes and 2 days: a fresh post often, an old one seldom, so that the number
--   of look-ups grows with the logarithm of age. A post that came without counts has not been seen
--   with its author's wishes (`is_unread`), and is due at once. Not published: it holds native ids.
create or replace view recheck_plan as
with looked as (
    select
        mention.source_name,
        mention.native_id,
        mention.lookup_id,
        mention.published_at,
        mention.last_seen_at,
        mention.metrics_at is null and recheck.asked_at is null as is_unread,
        greatest(mention.last_seen_at, recheck.asked_at) as looked_at
    from mention
    left join recheck
        on mention.published_at = recheck.published_at and mention.mention_id = recheck.mention_id
    where mention.deleted_at is null and mention.text_expired_at is null
),

paced as (
    select
        looked.*,
        least(
            greatest((looked.looked_at - looked.published_at) / 4, interval '15 minutes'),
            interval '2 days'
        ) as wait
    from looked
)

select
    paced.source_name,
    paced.native_id,
    paced.lookup_id,
    paced.published_at,
    paced.last_seen_at,
    paced.looked_at,
    paced.is_unread,
    paced.wait,
    paced.looked_at + if(paced.is_unread, interval '0 minutes', paced.wait) as due_at
from paced;

comment on view recheck_plan is
'One row per live mention: when it should be looked up again (due_at, UTC). Internal.';
