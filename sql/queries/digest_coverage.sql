-- Purpose: what each source brought in a day and what it refused.
-- Grain: one row per source block of `vigie.toml`.
-- Reads: source_block, intake. Read by: pipelines/digest.py, analysts.
-- Parameters: $since, $until (the day, UTC, half open), $as_of.
-- Units: counts of the runs whose windows end in the day.
with runs as (
    select
        source_name,
        count(*) as run_count,
        count(*) filter (where status in ('failed', 'missing')) as failed_count,
        sum(rejected_count) as rejected_count,
        sum(off_subject_count) as off_subject_count
    from intake
    where
        until_at > $since
        and until_at <= $until
        and finished_at <= $as_of
    group by source_name
)

select
    source_block.source_name,
    coalesce(runs.run_count, 0) as run_count,
    coalesce(runs.failed_count, 0) as failed_count,
    coalesce(runs.rejected_count, 0) as rejected_count,
    coalesce(runs.off_subject_count, 0) as off_subject_count
from source_block
left join runs on source_block.source_name = runs.source_name
order by source_block.source_name;
