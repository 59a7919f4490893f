-- Purpose: what is known of series since the beginning of a UTC day.
-- Grain: one row per watched series that has been learnt that day.
-- Reads: burst_day, watched_series (made by pipelines/surge.py). Read by: pipelines/learnt.py.
select
    watched_series.series,
    burst_day.stamp,
    burst_day.kept
from burst_day
inner join watched_series
    on
        burst_day.subject_id = watched_series.subject_id
        and burst_day.scope = watched_series.scope
where burst_day.day_on = $day_on;
