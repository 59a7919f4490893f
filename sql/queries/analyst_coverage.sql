-- Question: what may we have missed?
-- Purpose: the sources that were late, silent, cut short or left a gap. Grain: one row per source.
-- Reads: source_coverage. Read by: analysts.
-- Units: minutes; the last seven days. Caveat: a source that works may still not show everything.
select
    source_coverage.source_name,
    source_coverage.last_status,
    source_coverage.is_silent,
    source_coverage.behind_minutes,
    source_coverage.gap_minutes,
    source_coverage.capped_count,
    source_coverage.newest_published_at,
    source_coverage.as_of
from source_coverage
order by
    source_coverage.is_silent desc,
    source_coverage.gap_minutes desc,
    source_coverage.behind_minutes desc nulls first,
    source_coverage.source_name asc;
