-- Question: what may we have missed?
-- Purpose: the sources that were late, silent, cut short or left a gap, and what part of the week
--   was read. Grain: one row per source. Reads: source_coverage, coverage. Read by: analysts.
-- Units: minutes and shares 0..1; the last seven days. Caveat: a source that works may still not
--   show everything.
with week as (
    select
        coverage.source_name,
        avg(cast(coverage.read_share as decimal(18, 6))) as read_share,
        round(sum(coverage.gap_minutes), 3) as gap_minutes,
        round(sum(coverage.filled_minutes), 3) as filled_minutes
    from coverage
    inner join source_coverage on coverage.source_name = source_coverage.source_name
    where coverage.hour_at > source_coverage.as_of - interval '7 days'
    group by coverage.source_name
)

select
    source_coverage.source_name,
    source_coverage.last_status,
    source_coverage.is_silent,
    source_coverage.behind_minutes,
    week.read_share,
    week.gap_minutes,
    week.filled_minutes,
    source_coverage.capped_count,
    source_coverage.newest_published_at,
    source_coverage.as_of
from source_coverage
left join week on source_coverage.source_name = week.source_name
order by
    source_coverage.is_silent desc,
    week.gap_minutes desc,
    source_coverage.behind_minutes desc nulls first,
    source_coverage.source_name asc;
