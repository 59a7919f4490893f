-- Purpose: why the last reading of a source did not go well.
-- Grain: one row per source whose last reading is not `ok`.
-- Reads: intake.
-- Read by: `vigie sources`.
-- Caveat: `note` is our own words, with the remedy.
with last_reading as (
    select
        source_name,
        status,
        note,
        row_number() over (
            partition by source_name order by finished_at desc, run_id desc
        ) as place
    from intake
    where not starts_with(run_id, 'backfill')
)

select
    source_name,
    status,
    coalesce(note, 'no reason was noted') as note
from last_reading
where place = 1 and status <> 'ok'
order by source_name;
