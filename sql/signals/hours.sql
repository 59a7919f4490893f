-- Purpose: mentions by the hour, for what is older than the mentions that are kept.
-- Grain: one row per watched series and whole hour (UTC) with any mention, from $since to $until.
-- Reads: hourly, watched_series (made by pipelines/surge.py). Read by: pipelines/surge.py.
-- Units: raw counts, copies included; `hour_index` counts hours since 1970.
select
    watched_series.series,
    cast(floor(epoch(hourly.hour_at) / 3600) as integer) as hour_index,
    if(watched_series.scope = 'negative', hourly.negative_count, hourly.mention_count)
        as mention_count
from hourly
inner join watched_series
    on
        hourly.subject_id = watched_series.subject_id
        and hourly.scope = if(watched_series.scope = 'negative', 'all', watched_series.scope)
where
    hourly.hour_at >= $since
    and hourly.hour_at < $until;
