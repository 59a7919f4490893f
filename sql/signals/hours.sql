-- Purpose: mentions by the hour, for what is older than the mentions that are kept.
-- Grain: one row per subject and whole hour (UTC) with any mention, from $since to $until.
-- Reads: hourly, intake. Read by: pipelines/surge.py.
-- Units: raw counts, copies included; `hour_index` counts hours since 1970. `is_heard` is false
--   before the first reading: what a feed still showed then is not what was said.
with listening as (
    select min(since_at) as since_at
    from intake
    where until_at <= $until
)

select
    hourly.subject_id,
    hourly.mention_count,
    cast(floor(epoch(hourly.hour_at) / 3600) as integer) as hour_index,
    hourly.hour_at >= coalesce(listening.since_at, hourly.hour_at) as is_heard
from hourly
cross join listening
where
    hourly.scope = 'all'
    and hourly.hour_at >= $since
    and hourly.hour_at < $until;
