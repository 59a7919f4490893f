-- Question: at which hours and on which days of the week do people write?
-- Purpose: the usual rhythm, to see what is out of it. Grain: one row per weekday and hour.
-- Reads: mention_public, about. Read by: analysts.
-- Units: `mean_count` is messages per such hour over the last four weeks; local time, weekday 1
--   is Monday.
-- Caveat: own posts are left out. The night on which the clocks change has 23 or 25 hours.
with quarters as (
    -- Every zone's hours begin on a quarter of an hour: few moments are told in local time.
    select
        time_bucket(interval '15 minutes', mention_public.published_at) as quarter_at,
        count(*) as mention_count
    from mention_public
    cross join about
    where
        mention_public.published_at >= about.made_at - interval '28 days'
        and not mention_public.is_own
    group by quarter_at
)

select
    isodow(timezone(about.time_zone, quarters.quarter_at)) as weekday,
    hour(timezone(about.time_zone, quarters.quarter_at)) as local_hour,
    sum(quarters.mention_count)::bigint as mention_count,
    round(sum(quarters.mention_count) / 4, 1) as mean_count
from quarters
cross join about
group by weekday, local_hour
order by weekday, local_hour;
