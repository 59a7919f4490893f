-- Purpose: the day hour by hour, beside what the same hours brought in the four weeks before.
-- Grain: one row per hour of the day, silent hours as 0.
-- Reads: mention_scored. Read by: pipelines/digest.py, analysts.
-- Parameters: $since, $until (the day, UTC, half open), $before (four weeks earlier), $zone.
-- Units: mentions; `low_count` and `high_count` are the 10th and 90th percentile of the same local
--   hour on working days, or on weekend days, whichever this day is; null without a week of them.
with thresholds as (
    select
        5 as least_days,
        cast($since as timestamptz) as since_at
),

counted as (
    select
        hour_at,
        count(*) as mention_count
    from mention_scored
    where published_at >= $before and published_at < $until and not is_own
    group by hour_at
),

hours as (
    select
        hour_at,
        hour(timezone($zone, hour_at)) as local_hour,
        isodow(timezone($zone, hour_at)) > 5 as is_weekend
    from (
        select unnest(generate_series(
            least(
                cast($since as timestamptz),
                greatest(cast($before as timestamptz), (select min(counted.hour_at) from counted))
            ),
            cast($until as timestamptz) - interval 1 minute,
            interval 1 hour
        )) as hour_at
    ) as every_hour
),

filled as (
    select
        hours.hour_at,
        hours.local_hour,
        hours.is_weekend,
        coalesce(counted.mention_count, 0) as mention_count
    from hours
    left join counted on hours.hour_at = counted.hour_at
),

usual as (
    select
        local_hour,
        is_weekend,
        quantile_cont(mention_count, 0.1) as low_count,
        quantile_cont(mention_count, 0.9) as high_count
    from filled
    where hour_at < $since
    group by local_hour, is_weekend
    having count(*) >= (select thresholds.least_days from thresholds)
)

select
    filled.hour_at,
    filled.mention_count,
    usual.low_count,
    usual.high_count
from filled
left join usual
    on filled.local_hour = usual.local_hour and filled.is_weekend = usual.is_weekend
where filled.hour_at >= (select thresholds.since_at from thresholds)
order by filled.hour_at;
