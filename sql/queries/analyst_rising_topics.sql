-- Question: which topics are talked about more than the week before?
-- Purpose: messages of the last seven days against those of the seven days before.
-- Grain: one row per subject and topic. Reads: daily_topic, about. Read by: analysts.
-- Units: counts of messages; `change` is their ratio, null without a week before.
-- Caveat: days that were held back (fewer than ten pseudonyms) count as nothing on both sides;
--   `held_back_days` says how many there were. Small counts double by chance.
select
    daily_topic.subject_id,
    daily_topic.topic_id,
    coalesce(sum(daily_topic.mention_count) filter (
        where daily_topic.day_on > cast(timezone(about.time_zone, about.made_at) as date) - 7
    ), 0) as this_week_count,
    coalesce(sum(daily_topic.mention_count) filter (
        where daily_topic.day_on <= cast(timezone(about.time_zone, about.made_at) as date) - 7
    ), 0) as last_week_count,
    round(this_week_count / nullif(last_week_count, 0), 2) as change,
    count(*) filter (where daily_topic.is_suppressed) as held_back_days
from daily_topic
cross join about
where daily_topic.day_on > cast(timezone(about.time_zone, about.made_at) as date) - 14
group by daily_topic.subject_id, daily_topic.topic_id
order by this_week_count - last_week_count desc, daily_topic.subject_id, daily_topic.topic_id asc;
