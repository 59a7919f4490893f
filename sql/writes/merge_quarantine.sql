-- Purpose: what could not become a mention, with its reason; nothing is dropped in silence.
-- Grain: one row per distinct rejection of a run. Reads: a Parquet file. Writes: quarantine.
-- Caveat: matched on every column, so that a second load of the run adds nothing.
merge into quarantine
using (
    select distinct
        rejected.source,
        coalesce(nullif(split_part(rejected.raw_ref, '/', 2), ''), rejected.source) as source_name,
        rejected.native_id,
        rejected.reason,
        rejected.detail,
        rejected.raw_ref
    from read_parquet($rejections) as rejected
) as incoming
    on
        quarantine.run_id = $run_id
        and quarantine.source = incoming.source
        and quarantine.reason = incoming.reason
        and quarantine.detail = incoming.detail
        and quarantine.native_id is not distinct from incoming.native_id
        and quarantine.raw_ref is not distinct from incoming.raw_ref
when not matched then insert (
    source, source_name, native_id, reason, detail, raw_ref, run_id, rejected_at
) values (
    incoming.source,
    incoming.source_name,
    incoming.native_id,
    incoming.reason,
    incoming.detail,
    incoming.raw_ref,
    $run_id,
    $loaded_at
);
