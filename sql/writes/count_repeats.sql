-- Purpose: how many rows of each source block repeat a key that stands earlier in the file.
-- Grain: one row per source block. Reads: the Parquet file of accepted mentions (`$path`).
-- Read by: pipelines/run.py.
with numbered as (
    select
        incoming.source_name,
        row_number() over (
            partition by incoming.mention_id order by incoming.file_row_number
        ) as place
    from read_parquet($path, file_row_number = true) as incoming
)

select
    numbered.source_name,
    count(*) filter (where numbered.place > 1) as repeat_count
from numbered
group by numbered.source_name
order by numbered.source_name;
