-- Question: over which days can queries be run again, and how many mentions does each hold?
-- Purpose: the pieces of `vigie query rerun`. Grain: one row per local day with a live text.
-- Reads: mention. Read by: pipelines/query_history.py.
-- Units: `$since` to `$until`, half open (UTC); `since_at` and `until_at` (UTC) bound the day at
--   the institution, whose zone is `$zone`.
-- Caveat: a mention whose text has expired is left as it is: nothing is left to read.
with days as (
    select
        cast(timezone($zone, mention.published_at) as date) as day_on,
        count(*) as mention_count
    from mention
    where
        mention.published_at >= $since
        and mention.published_at < $until
        and mention.deleted_at is null
        and mention.text_expired_at is null
        and not mention.optout
    group by day_on
)

select
    days.day_on,
    days.mention_count,
    timezone($zone, cast(days.day_on as timestamp)) as since_at,
    timezone($zone, cast(days.day_on + 1 as timestamp)) as until_at
from days
order by days.day_on;
