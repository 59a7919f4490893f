-- Purpose: the local days and the hours that a load has touched, to be counted again.
-- Grain: one row per day; one per hour. Reads: touched_moment, frozen_day.
-- Read by: pipelines/load.py, writes/refresh_hourly, writes/refresh_daily.
-- Units: `since_at` and `until_at` (UTC) bound the day at the institution, whose zone is `$zone`;
--   the days on which summer time begins and ends have 23 and 25 hours.
-- Caveat: a day whose mentions have begun to expire is frozen: it keeps its counts.
create or replace temp table touched_hour as
select timezone('UTC', date_trunc('hour', timezone('UTC', touched_moment.published_at))) as hour_at
from touched_moment
anti join frozen_day
    on cast(timezone($zone, touched_moment.published_at) as date) = frozen_day.day_on
group by hour_at;

create or replace temp table touched_day as
with days as (
    select distinct cast(timezone($zone, touched_moment.published_at) as date) as day_on
    from touched_moment
)

select
    days.day_on,
    timezone($zone, cast(days.day_on as timestamp)) as since_at,
    timezone($zone, cast(days.day_on + 1 as timestamp)) as until_at
from days
anti join frozen_day on days.day_on = frozen_day.day_on;
