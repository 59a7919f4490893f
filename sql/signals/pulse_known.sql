-- Purpose: which subjects have been heard for so long that none of their windows is warming up.
-- Grain: one row per subject heard from 27 days to 73 hours before $since.
-- Reads: hourly, intake. Read by: pipelines/backtest_pulse.py.
with listening as (
    select min(since_at) as since_at
    from intake
    where until_at <= $since
)

select distinct hourly.subject_id
from hourly
cross join listening
where
    hourly.scope = 'all'
    and hourly.hour_at >= $since - interval 27 day
    and hourly.hour_at < $since - interval 73 hour
    and hourly.hour_at >= coalesce(listening.since_at, hourly.hour_at);
