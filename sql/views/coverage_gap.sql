-- Purpose: every span that a source could not be read for, and what has filled it since.
-- Published: yes.
-- Grain: one row per gap, or part of one where only a part was filled. Reads: gap.
-- Units: times are UTC, spans half open. `reason`: told (the source cut it or shows it no more),
--   failed, waiting (it or our budget put us off), missing (the reading broke off, wordless).
-- Caveat: two gaps of one source may overlap, a reading that failed and what the next one was told.
create or replace view coverage_gap as
select
    gap.source_name,
    gap.since_at,
    gap.until_at,
    gap.reason,
    gap.found_by,
    gap.found_at,
    gap.filled_by,
    gap.filled_at,
    gap.filled_by is not null as is_filled
from gap;

comment on view coverage_gap is
'One row per span (UTC, half open) that a source could not be read for, filled or not.';
comment on column coverage_gap.reason is 'told, failed, waiting or missing.';
comment on column coverage_gap.found_by is 'The run that found it.';
comment on column coverage_gap.filled_by is 'The run that has read it; null while it is open.';
comment on column coverage_gap.source_name is 'Name of the source block in vigie.toml.';
comment on column coverage_gap.since_at is 'Start of the span (UTC).';
comment on column coverage_gap.until_at is 'End of the span (UTC), not in it.';
comment on column coverage_gap.found_at is 'When it was found (UTC).';
comment on column coverage_gap.filled_at is
'When it was read after all (UTC); null while it is open.';
comment on column coverage_gap.is_filled is 'It has been read after all.';
