-- Question: which hours were out of the ordinary?
-- Purpose: hours of two weeks with far more messages than the same hour of the week usually has.
-- Grain: one row per hour (UTC) and subject. Reads: hourly_volume, about. Read by: analysts.
-- Units: counts; `usual_count` is the median of that hour of the week over the file's hours of
--   eight weeks, `score` the distance in roots of it (Anscombe), 3 is rare.
-- Caveat: hours that were held back, of fewer than ten pseudonyms, are not compared. This is a
--   list to start from, not the alarm: see docs/bursts.md.
with counted as (
    select
        hourly_volume.hour_at,
        hourly_volume.subject_id,
        hourly_volume.mention_count,
        hourly_volume.negative_count,
        about.made_at,
        median(hourly_volume.mention_count) over (
            partition by
                hourly_volume.subject_id,
                isodow(timezone(about.time_zone, hourly_volume.hour_at)),
                hour(timezone(about.time_zone, hourly_volume.hour_at))
        ) as usual_count
    from hourly_volume
    cross join about
    where
        hourly_volume.scope = 'all'
        and hourly_volume.hour_at >= about.made_at - interval '56 days'
        and not hourly_volume.is_suppressed
)

select
    counted.hour_at,
    counted.subject_id,
    counted.mention_count,
    counted.negative_count,
    counted.usual_count,
    round(2 * (sqrt(counted.mention_count + 0.375) - sqrt(counted.usual_count + 0.375)), 1)
        as score
from counted
where
    counted.hour_at >= counted.made_at - interval '14 days'
    and score >= 3
order by score desc, counted.hour_at asc, counted.subject_id asc
limit 50;
