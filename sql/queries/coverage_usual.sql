-- Purpose: how many mentions each source block usually brings in each hour of the day.
-- Grain: one row per source block, local hour of the day and kind of day with a week of history.
-- Reads: source_hour. Read by: pipelines/coverage.py.
-- Units: mean mentions an hour over four weeks before `$since`, of hours that were read whole:
--   all, and those that no other block heard. `$zone` is the institution's.
-- Caveat: a public holiday counts as the weekday that it is. Below seven days of read hours there
--   is no row.
with bounds as (
    select
        0.9 as least_read,
        cast($since as timestamptz) as last_at,
        cast($since as timestamptz) - interval '28 days' as first_at
),

hours as (
    select
        source_hour.source_name,
        source_hour.mention_count,
        source_hour.only_count,
        timezone($zone, source_hour.hour_at) as local_at
    from source_hour
    cross join bounds
    where
        source_hour.hour_at >= bounds.first_at
        and source_hour.hour_at < bounds.last_at
        and source_hour.read_seconds >= bounds.least_read * 3600
),

known as (
    select
        hours.source_name,
        count(distinct cast(hours.local_at as date)) as day_count
    from hours
    group by hours.source_name
)

select
    hours.source_name,
    cast(extract(hour from hours.local_at) as integer) as hour,
    isodow(hours.local_at) >= 6 as is_weekend,
    avg(hours.mention_count) as mention_count,
    avg(hours.only_count) as only_count
from hours
inner join known on hours.source_name = known.source_name and known.day_count >= 7
group by hours.source_name, hour, is_weekend
order by hours.source_name, hour, is_weekend;
