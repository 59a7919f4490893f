-- Purpose: what each source brought in a day, what it refused, and how fresh it is.
-- Grain: one row per source block of `vigie.toml`.
-- Reads: source_block, intake, mention_scored. Read by: pipelines/digest.py, analysts.
-- Parameters: $since, $until (the day, UTC, half open), $before (four weeks earlier), $as_of,
--   $days (whole days with any reading before $since).
-- Units: `usual_count` mentions a day, mean of the days before; null below a week of history.
with bounds as (
    select cast($days as integer) as day_count
),

runs as (
    select
        source_name,
        count(*) filter (where finished_at >= $since) as run_count,
        count(*) filter (
            where finished_at >= $since and status in ('failed', 'missing')
        ) as failed_count,
        count(*) filter (where finished_at >= $since and is_capped) as capped_count,
        sum(accepted_count) filter (where finished_at >= $since) as accepted_count,
        sum(rejected_count) filter (where finished_at >= $since) as rejected_count,
        sum(off_subject_count) filter (where finished_at >= $since) as off_subject_count,
        max(finished_at) filter (where status = 'ok') as last_ok_at,
        max(newest_published_at) as newest_at
    from intake
    where finished_at <= $as_of
    group by source_name
),

mentions as (
    select
        source_name,
        max(published_at) as newest_at,
        count(*) filter (where published_at >= $since) as mention_count,
        count(*) filter (where published_at < $since) as earlier_count
    from mention_scored
    where published_at >= $before and published_at < $until
    group by source_name
)

select
    source_block.source_name,
    source_block.source,
    source_block.every_minutes,
    source_block.silent_after_minutes,
    runs.last_ok_at,
    greatest(runs.newest_at, mentions.newest_at) as newest_at,
    coalesce(runs.run_count, 0) as run_count,
    coalesce(runs.failed_count, 0) as failed_count,
    coalesce(runs.capped_count, 0) as capped_count,
    coalesce(runs.rejected_count, 0) as rejected_count,
    coalesce(runs.off_subject_count, 0) as off_subject_count,
    coalesce(mentions.mention_count, 0) as mention_count,
    case
        when bounds.day_count >= 7
            then coalesce(mentions.earlier_count, 0) / bounds.day_count
    end as usual_count
from source_block
cross join bounds
left join runs on source_block.source_name = runs.source_name
left join mentions on source_block.source_name = mentions.source_name
order by source_block.source_name;
