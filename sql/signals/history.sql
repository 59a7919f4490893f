-- Purpose: the whole hours that end before $as_of, 28 days of them: what the baseline learns from.
-- Grain: one row per subject, scope and hour (UTC) with any mention; an hour without a row is 0.
-- Reads: hourly, intake. Read by: pipelines/baseline.py.
-- Units: raw counts, copies included. `is_heard` is false for hours before the first reading: what
--   a feed still showed of them is not what was said then.
with listening as (
    select
        date_trunc('hour', $as_of) as until_at,
        min(since_at) as since_at
    from intake
    where until_at <= $as_of
)

select
    hourly.subject_id,
    hourly.scope,
    hourly.hour_at,
    hourly.mention_count,
    hourly.scored_count,
    hourly.negative_count,
    hourly.hour_at >= coalesce(listening.since_at, hourly.hour_at) as is_heard
from hourly
cross join listening
where
    hourly.hour_at >= listening.until_at - interval 28 day
    and hourly.hour_at < listening.until_at;
