-- Purpose: the measures of attention that a run read; one read again is replaced.
-- Grain: one row per source block and native id. Reads: a Parquet file. Writes: attention.
-- Caveat: of the same measure twice in a file the last seen counts, and of those the last in the
--   file; a row that says the same is left alone, so that a second load of a run writes nothing.
-- (noqa: the linter does not know `by name`.)
merge into attention  -- noqa: PRS
using (
    select distinct on (measure.source_name, measure.native_id)
        measure.* exclude (measure.file_row_number)
    from read_parquet($attention, file_row_number = true) as measure
    order by
        measure.source_name asc,
        measure.native_id asc,
        measure.seen_at desc,
        measure.file_row_number desc
) as incoming
    on
        attention.source_name = incoming.source_name
        and attention.native_id = incoming.native_id
when matched and (
    attention.value is distinct from incoming.value
    or attention.kind is distinct from incoming.kind
    or attention.subject_id is distinct from incoming.subject_id
) then update by name
when not matched then insert by name;
