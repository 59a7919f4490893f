-- Question: how fast does a message gather its reactions?
-- Purpose: the part of its reactions that a message of thirty days had 1, 6, 24 and 72 hours after
--   publication, ours and those of others apart. Grain: one row per network and `is_own`.
-- Reads: engagement_history, mention_public, about.
-- Read by: analysts. Units: shares 0..1 of the reactions at the last look, medians over messages.
-- Caveat: what was counted at the last look before each hour: seldom looked at means too low. Only
--   messages of four days and more with ten reactions or more.
with thresholds as (
    select
        10 as least_count,
        4 as least_days
),

counted as (
    select
        engagement_history.mention_id,
        mention_public.network,
        mention_public.is_own,
        date_diff('minute', mention_public.published_at, engagement_history.counted_at) / 60
            as age_hours,
        coalesce(engagement_history.like_count, 0)
        + coalesce(engagement_history.reply_count, 0)
        + coalesce(engagement_history.share_count, 0)
        + coalesce(engagement_history.quote_count, 0) as reaction_count
    from engagement_history
    inner join mention_public on engagement_history.mention_id = mention_public.mention_id
    cross join about
    cross join thresholds
    where
        mention_public.published_at >= about.made_at - interval '30 days'
        and mention_public.published_at < about.made_at - to_days(thresholds.least_days)
),

grown as (
    select
        counted.network,
        counted.is_own,
        counted.mention_id,
        max(counted.reaction_count) as last_count,
        coalesce(max(counted.reaction_count) filter (where counted.age_hours <= 1), 0) as h1,
        coalesce(max(counted.reaction_count) filter (where counted.age_hours <= 6), 0) as h6,
        coalesce(max(counted.reaction_count) filter (where counted.age_hours <= 24), 0) as h24,
        coalesce(max(counted.reaction_count) filter (where counted.age_hours <= 72), 0) as h72
    from counted
    group by counted.network, counted.is_own, counted.mention_id
)

select
    grown.network,
    grown.is_own,
    count(*) as message_count,
    round(median(grown.h1 / grown.last_count), 2) as after_1_hour,
    round(median(grown.h6 / grown.last_count), 2) as after_6_hours,
    round(median(grown.h24 / grown.last_count), 2) as after_24_hours,
    round(median(grown.h72 / grown.last_count), 2) as after_72_hours
from grown
cross join thresholds
where grown.last_count >= thresholds.least_count
group by grown.network, grown.is_own
order by grown.is_own asc, message_count desc, grown.network asc;
