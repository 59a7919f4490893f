-- Question: at which hours and on which days of the week do people write?
-- Purpose: the usual rhythm, to see what is out of it. Grain: one row per weekday and hour.
-- Reads: mention_public, about. Read by: analysts.
-- Units: `mean_count` is messages per such hour over the last four weeks; local time, weekday 1
--   is Monday.
-- Caveat: own posts are left out. The night on which the clocks change has 23 or 25 hours.
select
    isodow(timezone(about.time_zone, mention_public.published_at)) as weekday,
    hour(timezone(about.time_zone, mention_public.published_at)) as local_hour,
    count(*) as mention_count,
    round(count(*) / 4, 1) as mean_count
from mention_public
cross join about
where
    mention_public.published_at >= about.made_at - interval '28 days'
    and not mention_public.is_own
group by weekday, local_hour
order by weekday, local_hour;
