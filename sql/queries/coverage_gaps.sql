-- Purpose: the spans that source blocks could not be read for, and what has filled them since.
-- Grain: one row per gap, or part of one, that touches the span.
-- Reads: gap. Read by: pipelines/gaps.py, pipelines/coverage.py.
-- Units: `$since` to `$until` (UTC, half open). Caveat: as known at `$as_of`: a gap that was filled
--   later shows as open.
select
    gap.source_name,
    gap.since_at,
    gap.until_at,
    gap.reason,
    gap.found_by,
    gap.found_at,
    if(gap.filled_at <= cast($as_of as timestamptz), gap.filled_by, null) as filled_by,
    if(gap.filled_at <= cast($as_of as timestamptz), gap.filled_at, null) as filled_at
from gap
where
    gap.until_at > cast($since as timestamptz)
    and gap.since_at < cast($until as timestamptz)
    and gap.found_at <= cast($as_of as timestamptz)
order by gap.source_name, gap.since_at, gap.until_at, gap.found_by, gap.found_at;
