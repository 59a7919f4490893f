-- Purpose: drop the mentions that have had their time, and freeze the counts of their days.
-- Grain: one row per mention. Writes: frozen_day, heard, label_task, mention.
-- Run by: pipelines/retention.py.
-- Units: `$row_before` (UTC) is the first sight from which a mention is kept; `$strict` gives the
--   same for each source whose terms let no row live longer (source, before); days are those at
--   the institution, whose zone is `$zone`.
-- Caveat: once a row of a day is gone the day cannot be counted again, so its counts stay. What
--   people said of a drawn mention stays with the hash of its text alone.
create or replace temp table expired_mention as
with term as (
    select unnest($strict, recursive := true)
)

select
    mention.mention_id,
    mention.published_at,
    mention.deleted_at
from mention
left join term on mention.source = term.source
where
    mention.first_seen_at
    <= greatest(cast($row_before as timestamptz), cast(term.before as timestamptz));

insert into frozen_day
select
    cast(timezone($zone, expired_mention.published_at) as date) as day_on,
    cast($as_of as timestamptz) as frozen_at
from expired_mention
where
    expired_mention.deleted_at is null
    and cast(timezone($zone, expired_mention.published_at) as date) not in (
        select frozen_day.day_on from frozen_day
    )
group by cast(timezone($zone, expired_mention.published_at) as date);

update label_task set mention_id = null
from expired_mention
where
    label_task.published_at = expired_mention.published_at
    and label_task.mention_id = expired_mention.mention_id;

delete from heard
where heard.heard_at <= cast($row_before as timestamptz);

delete from mention
using expired_mention
where
    mention.published_at = expired_mention.published_at
    and mention.mention_id = expired_mention.mention_id;
