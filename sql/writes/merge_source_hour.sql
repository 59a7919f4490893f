-- Purpose: the hours of coverage that a load has touched, as they stand now.
-- Grain: one row per source block and hour (UTC). Writes: source_hour.
-- Reads: fresh_source_hour (an Arrow table of pipelines/gaps.py: the columns of `source_hour`).
-- Caveat: rows of hours or blocks that are not touched stay as they are.
-- (noqa: the linter does not know `by name`.)
merge into source_hour  -- noqa: PRS
using fresh_source_hour as fresh
    on source_hour.hour_at = fresh.hour_at and source_hour.source_name = fresh.source_name
when matched then update by name
when not matched then insert by name;
