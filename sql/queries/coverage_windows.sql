-- Purpose: the windows that source blocks were asked to read, and how each ended.
-- Grain: one row per run and source block whose window touches the span.
-- Reads: intake. Read by: pipelines/gaps.py, pipelines/coverage.py.
-- Units: `$since` to `$until` (UTC, half open); runs that ended after `$as_of` are left out.
--   `has_told`: the source itself says what of the window it did not give.
-- Caveat: rows lie in the order of their runs, so that DuckDB skips those before `$since`.
select
    intake.run_id,
    intake.source_name,
    intake.since_at,
    intake.until_at,
    intake.status,
    intake.is_capped,
    intake.finished_at,
    intake.gap_since_at is not null as has_told
from intake
where
    intake.until_at >= cast($since as timestamptz)
    and intake.since_at < cast($until as timestamptz)
    and intake.finished_at <= cast($as_of as timestamptz)
order by intake.source_name, intake.until_at, intake.run_id;
