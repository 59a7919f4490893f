-- Purpose: how many rows of each source block another row of the same key replaces.
-- Grain: one row per source block. Reads: the Parquet file of accepted mentions (`$path`).
-- Read by: pipelines/run/accepting.py.
-- Caveat: of rows with one key the last stays, as in writes/stage_mention: what a source is said to
--   have given is what stands under its name.
with numbered as (
    select
        incoming.source_name,
        row_number() over (
            partition by incoming.mention_id order by incoming.file_row_number desc
        ) as place
    from read_parquet($path, file_row_number = true) as incoming
)

select
    numbered.source_name,
    count(*) filter (where numbered.place > 1) as repeat_count
from numbered
group by numbered.source_name
order by numbered.source_name;
