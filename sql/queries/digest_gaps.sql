-- Purpose: the spans of a day that a source could not be read for.
-- Grain: one row per gap that a run has recorded and that touches the day.
-- Reads: intake. Read by: pipelines/digest.py, analysts.
-- Parameters: $since, $until (the day, UTC, half open), $as_of.
-- Units: spans are cut to the day.
select
    source_name,
    greatest(gap_since_at, $since) as gap_since_at,
    least(gap_until_at, $until) as gap_until_at
from intake
where
    gap_until_at > $since and gap_since_at < $until
    and finished_at <= $as_of
order by source_name, gap_since_at;
