-- Purpose: a span that a source block could not be read for, or a part of it that has been since.
-- Grain: one row. Writes: gap. Run by: pipelines/gaps.py.
insert into gap (
    source_name, since_at, until_at, reason, found_by, found_at, filled_by, filled_at
)
values (
    cast($source_name as varchar),
    cast($since_at as timestamptz),
    cast($until_at as timestamptz),
    cast($reason as varchar),
    cast($found_by as varchar),
    cast($found_at as timestamptz),
    cast($filled_by as varchar),
    cast($filled_at as timestamptz)
);
