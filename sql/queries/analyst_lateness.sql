-- Question: how late do we hear what is said?
-- Purpose: for each source and day, the part of it that was read and how late its hours were heard.
--   Grain: one row per source and day (UTC). Reads: coverage. Read by: analysts.
-- Units: share 0..1; minutes: the median over the hours of each hour's median, and the worst hour's
--   95 %. Caveat: an hour with fewer than five posts has no lateness; percentiles of a day cannot
--   be made from those of its hours, so these are of hours.
select
    coverage.source_name,
    cast(timezone('UTC', coverage.hour_at) as date) as day_on,
    avg(cast(coverage.read_share as decimal(18, 6))) as read_share,
    median(coverage.late_p50_minutes) as median_hour_p50_minutes,
    max(coverage.late_p95_minutes) as worst_hour_p95_minutes,
    sum(coverage.failed_count) as failed_count,
    sum(coverage.capped_count) as capped_count
from coverage
group by coverage.source_name, day_on
order by day_on desc, coverage.source_name asc;
