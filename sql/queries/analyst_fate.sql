-- Question: how many messages are edited or taken away afterwards?
-- Purpose: what became of the messages of thirty days, by network.
-- Grain: one row per network. Reads: daily_fate, about. Read by: analysts.
-- Units: counts and shares 0..1 of the messages of the days that are not held back.
-- Caveat: who took a message away is mostly not told. Young messages have had less time; what went
--   before it was heard was never here. Not every source tells edits.
select
    daily_fate.network,
    sum(daily_fate.mention_count)::bigint as mention_count,
    sum(daily_fate.edited_count)::bigint as edited_count,
    sum(daily_fate.deleted_count)::bigint as deleted_count,
    round(sum(daily_fate.edited_count) / sum(daily_fate.mention_count), 4) as edited_share,
    round(sum(daily_fate.deleted_count) / sum(daily_fate.mention_count), 4) as deleted_share,
    count(*) filter (where daily_fate.is_suppressed) as held_back_days
from daily_fate
cross join about
where daily_fate.day_on > timezone(about.time_zone, about.made_at)::date - 30
group by daily_fate.network
order by mention_count desc nulls last, daily_fate.network asc;
