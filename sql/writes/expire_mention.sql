-- Purpose: drop the mentions that have had their time, and freeze the counts of their days.
-- Grain: one row per mention. Writes: frozen_day, heard, mention. Run by: pipelines/retention.py.
-- Units: `$row_before` (UTC) is the first sight from which a mention is kept; days are those at
--   the institution, whose zone is `$zone`.
-- Caveat: once a row of a day is gone the day cannot be counted again, so its counts stay.
insert into frozen_day
select
    cast(timezone($zone, mention.published_at) as date) as day_on,
    cast($as_of as timestamptz) as frozen_at
from mention
where
    mention.first_seen_at <= cast($row_before as timestamptz)
    and mention.deleted_at is null
    and cast(timezone($zone, mention.published_at) as date) not in (
        select frozen_day.day_on from frozen_day
    )
group by cast(timezone($zone, mention.published_at) as date);

delete from heard
where heard.heard_at <= cast($row_before as timestamptz);

delete from mention
where mention.first_seen_at <= cast($row_before as timestamptz);
