-- Purpose: since when each subject has been heard, and how much of it, for those that say too
--   little to have a baseline.
-- Grain: one row per subject of the 28 days before $as_of. Reads: hourly, intake.
-- Read by: pipelines/baseline.py. Units: `hour_index` as in history.sql.
with listening as (
    select
        date_trunc('hour', $as_of) as until_at,
        date_trunc('hour', $as_of) - interval 28 day as first_at,
        min(since_at) as since_at
    from intake
    where until_at <= $as_of
)

select
    hourly.subject_id,
    cast(date_diff('hour', any_value(listening.first_at), min(hourly.hour_at)) as integer)
        as hour_index,
    cast(sum(hourly.mention_count) as bigint) as mention_count
from hourly
cross join listening
where
    hourly.scope = 'all'
    and hourly.hour_at >= listening.first_at
    and hourly.hour_at < listening.until_at
    and hourly.hour_at >= coalesce(listening.since_at, hourly.hour_at)
group by hourly.subject_id;
