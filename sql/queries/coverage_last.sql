-- Purpose: how each source block of the settings stands: last read, last answer, newest post.
-- Grain: one row per source block, sources never read too (all null).
-- Reads: source_block, intake (from four weeks before the span), source_start.
-- Read by: pipelines/coverage.py.
-- Units: times are UTC; `read_at` is the end of the last window that was read well by `$as_of`.
-- Caveat: a back-fill reads the past, so it says nothing of how a source stands now.
with recent as (
    select
        intake.source_name,
        max(intake.until_at) filter (where intake.status = 'ok') as read_at,
        arg_max(intake.status, (intake.finished_at, intake.run_id)) as last_status,
        max(intake.newest_published_at) as newest_at,
        min(intake.since_at) as asked_at
    from intake
    where
        intake.until_at > cast($since as timestamptz) - interval '28 days'
        and intake.finished_at <= cast($as_of as timestamptz)
        and not starts_with(intake.run_id, 'backfill')
    group by intake.source_name
)

select
    source_block.source_name,
    source_block.source,
    source_block.every_minutes,
    source_block.silent_after_minutes,
    recent.read_at,
    recent.last_status,
    recent.newest_at,
    coalesce(source_start.since_at, recent.asked_at) as first_at
from source_block
left join recent on source_block.source_name = recent.source_name
left join source_start on source_block.source_name = source_start.source_name
order by source_block.source_name;
