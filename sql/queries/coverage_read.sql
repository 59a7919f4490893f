-- Purpose: the windows of one source block that other runs have read well.
-- Grain: one row per run whose window touches the span.
-- Reads: intake. Read by: pipelines/gaps.py.
-- Units: `$since` to `$until` (UTC, half open). Caveat: of a source that has been away for a year
--   the span is that year, with a hundred thousand windows that failed: those stay in here.
select
    intake.run_id,
    intake.since_at,
    intake.until_at,
    intake.status
from intake
where
    intake.source_name = cast($source_name as varchar)
    and intake.run_id != cast($run_id as varchar)
    and intake.status = 'ok'
    and intake.until_at >= cast($since as timestamptz)
    and intake.since_at < cast($until as timestamptz)
order by intake.until_at, intake.run_id;
