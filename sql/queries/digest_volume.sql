-- Purpose: how many mentions each day brought, silent days as 0.
-- Grain: one row per local day, from the first day with any mention to the last.
-- Reads: mention_scored. Read by: pipelines/digest.py, analysts.
-- Parameters: $since, $until (UTC, half open); $cutoff, a local time of day up to which each day
--   is counted, so that a day still going on is compared with the same part of earlier days.
-- Caveat: raw mentions, copies and all; what the institution itself posted is left out.
with counted as (
    select
        day_on,
        count(*) filter (
            where cast(timezone($zone, published_at) as time) <= $cutoff
        ) as mention_count
    from mention_scored
    where published_at >= $since and published_at < $until and not is_own
    group by day_on
),

days as (
    select cast(unnest(generate_series(
        (select min(counted.day_on) from counted), $day, interval 1 day
    )) as date) as day_on
)

select
    days.day_on,
    coalesce(counted.mention_count, 0) as mention_count
from days
left join counted on days.day_on = counted.day_on
order by days.day_on;
