-- Purpose: the whole hours that end before $as_of, 28 days of them: what the baseline learns from.
-- Grain: one row per series and hour (UTC) with any mention; an hour without a row is 0.
-- Reads: hourly, intake, judged_series (number, subject and scope; made by pipelines/baseline.py).
-- Read by: pipelines/baseline.py.
-- Units: raw counts, copies included; `hour_index` is 0 for the first of the 672 hours. `is_heard`
--   is false before the first reading: what a feed still showed then is not what was said.
with listening as (
    select
        date_trunc('hour', $as_of) as until_at,
        date_trunc('hour', $as_of) - interval 28 day as first_at,
        min(since_at) as since_at
    from intake
    where until_at <= $as_of
)

select
    judged_series.series,
    cast(date_diff('hour', listening.first_at, hourly.hour_at) as integer) as hour_index,
    hourly.mention_count,
    hourly.scored_count,
    hourly.negative_count,
    hourly.scope = 'all'
    and hourly.hour_at >= coalesce(listening.since_at, hourly.hour_at) as is_heard
from hourly
cross join listening
inner join judged_series
    on hourly.subject_id = judged_series.subject_id and hourly.scope = judged_series.scope
where
    hourly.hour_at >= listening.first_at
    and hourly.hour_at < listening.until_at;
