-- Purpose: since when each subject has been heard.
-- Grain: one row per watched series whose subject was heard between $since and $until.
-- Reads: hourly, intake, watched_series (made by pipelines/surge.py). Read by: pipelines/surge.py.
-- Units: `hour_index` counts hours since 1970. What a feed still showed at the first reading is not
--   what was said then: those hours do not count.
with listening as (
    select min(since_at) as since_at
    from intake
    where until_at <= $until
),

heard as (
    select
        hourly.subject_id,
        min(hourly.hour_at) as hour_at
    from hourly
    cross join listening
    semi join watched_series on hourly.subject_id = watched_series.subject_id
    where
        hourly.scope = 'all'
        and hourly.hour_at >= $since
        and hourly.hour_at < $until
        and hourly.hour_at >= coalesce(listening.since_at, hourly.hour_at)
    group by hourly.subject_id
)

select
    watched_series.series,
    cast(floor(epoch(heard.hour_at) / 3600) as integer) as hour_index
from watched_series
inner join heard on watched_series.subject_id = heard.subject_id;
