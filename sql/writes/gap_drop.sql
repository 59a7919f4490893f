-- Purpose: take out a gap that is about to be written again, whole or in parts.
-- Grain: one row. Writes: gap. Run by: pipelines/gaps.py.
delete from gap
where
    gap.source_name = cast($source_name as varchar)
    and gap.since_at = cast($since_at as timestamptz)
    and gap.until_at = cast($until_at as timestamptz)
    and gap.reason = cast($reason as varchar)
    and gap.found_by = cast($found_by as varchar)
    and gap.filled_by is null;
