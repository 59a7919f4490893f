-- Purpose: the readings of a replay: what is known by now of each hour, as if read in time.
-- Grain: one row per source block and hour (its end) that was read well, by whichever run, from
--   28 days before $since to $until. Reads: store.intake, mention, source_block.
-- Read by: pipelines/backtest_copy.py. Writes: intake.
-- Caveat: what a file brought from before its first reading counts as read then. An hour that no
--   run has read is not read here either.
insert into intake by name  -- noqa: PRS
with hours as (
    select unnest(generate_series(
        date_trunc('hour', $since) - interval 28 day, $until, interval 1 hour
    )) as until_at
),

begun as (
    select
        source_name,
        bool_or(source = 'file') as is_file,
        min(since_at) as since_at
    from store.intake
    group by source_name
),

read_well as (
    select distinct
        begun.source_name,
        hours.until_at
    from hours
    cross join begun
    left join store.intake as reading
        on
            begun.source_name = reading.source_name
            and reading.status = 'ok'
            and hours.until_at >= reading.since_at
            and hours.until_at < reading.until_at + interval 1 hour
    where
        reading.source_name is not null
        or (begun.is_file and hours.until_at <= begun.since_at)
),

brought as (
    select
        source_name,
        timezone('UTC', date_trunc('hour', timezone('UTC', published_at))) + interval 1 hour
            as until_at,
        count(*) as mention_count
    from mention
    group by all
),

first_brought as (
    select
        source_name,
        min(until_at) as until_at
    from brought
    group by source_name
)

select
    '' as run_id,
    read_well.source_name,
    source_block.source,
    read_well.until_at - interval 1 hour as since_at,
    read_well.until_at,
    'ok' as status,
    0 as payload_count,
    0 as post_count,
    coalesce(brought.mention_count, 0) as accepted_count,
    0 as rejected_count,
    0 as off_subject_count,
    0 as duplicate_count,
    0 as deleted_count,
    false as is_capped,
    read_well.until_at as finished_at
from read_well
inner join source_block on read_well.source_name = source_block.source_name
inner join first_brought
    on
        read_well.source_name = first_brought.source_name
        and read_well.until_at >= first_brought.until_at
left join brought
    on
        read_well.source_name = brought.source_name
        and read_well.until_at = brought.until_at;
