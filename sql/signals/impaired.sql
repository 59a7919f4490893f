-- Purpose: which sources are late or cut short at $as_of, and how much they usually bring: what is
--   not read is not calm.
-- Grain: one row per source block. Reads: source_block, intake, source_hour.
-- Read by: pipelines/surroundings.py.
-- Units: `usual_count` is mentions heard in the seven days before.
-- Caveat: a source that was never read is late, and usually brings nothing.
with thresholds as (
    select
        2 as late_readings,
        10 as late_minutes,
        3 as known_days,
        7 as usual_days
),

moment as (
    select
        cast($as_of as timestamptz) as as_of,
        cast($as_of as timestamptz) - to_days(known_days) as known_at,
        cast($as_of as timestamptz) - to_days(usual_days) as usual_at
    from thresholds
),

last_read as (
    select
        intake.source_name,
        max(intake.until_at) filter (where intake.status = 'ok') as ok_at,
        arg_max(intake.is_capped, (intake.until_at, intake.run_id)) as is_capped
    from intake
    cross join moment
    where intake.until_at > moment.known_at and intake.until_at <= moment.as_of
    group by intake.source_name
),

usual as (
    select
        source_hour.source_name,
        cast(sum(source_hour.mention_count) as bigint) as usual_count
    from source_hour
    cross join moment
    where source_hour.hour_at >= moment.usual_at and source_hour.hour_at < moment.as_of
    group by source_hour.source_name
)

select
    source_block.source_name,
    coalesce(
        last_read.ok_at < moment.as_of - to_minutes(
            cast(
                thresholds.late_readings * source_block.every_minutes + thresholds.late_minutes
                as integer
            )
        ),
        true
    ) as is_late,
    coalesce(last_read.is_capped, false) as is_capped,
    coalesce(usual.usual_count, 0) as usual_count
from source_block
cross join moment
cross join thresholds
left join last_read on source_block.source_name = last_read.source_name
left join usual on source_block.source_name = usual.source_name
order by source_block.source_name;
