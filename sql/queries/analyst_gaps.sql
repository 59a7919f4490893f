-- Question: when were we deaf, and did we catch up?
-- Purpose: how long each source could not be read over thirty days, why, and what was filled.
-- Grain: one row per source block and reason. Reads: coverage_gap, about. Read by: analysts.
-- Units: hours; times are UTC. Caveat: two gaps may overlap, so hours can be counted twice: the
--   table coverage counts each hour once.
select
    coverage_gap.source_name,
    coverage_gap.reason,
    count(*) as gap_count,
    round(sum(date_diff('second', coverage_gap.since_at, coverage_gap.until_at)) / 3600, 1)
        as gap_hours,
    round(coalesce(sum(date_diff('second', coverage_gap.since_at, coverage_gap.until_at)) filter (
        where coverage_gap.is_filled
    ), 0) / 3600, 1) as filled_hours,
    min(coverage_gap.since_at) filter (where not coverage_gap.is_filled) as open_since_at,
    round(median(date_diff('minute', coverage_gap.found_at, coverage_gap.filled_at)) / 60, 1)
        as median_hours_to_fill
from coverage_gap
cross join about
where coverage_gap.until_at >= about.made_at - interval '30 days'
group by coverage_gap.source_name, coverage_gap.reason
order by gap_hours desc, coverage_gap.source_name asc, coverage_gap.reason asc;
