-- Question: which topics draw the most negative messages?
-- Purpose: where to look first. Grain: one row per topic. Reads: mention_topic, about.
-- Read by: analysts. Units: counts of the last seven days; `negative_share` 0..1 of the topic's
--   messages with a tone.
-- Caveat: a message has several topics, so rows do not add up. Topics of fewer than twenty
--   messages with a tone are left out: their shares are chance.
with thresholds as (
    select 20 as least_count
),

counted as (
    select
        mention_topic.topic_id,
        count(*) as mention_count,
        count(*) filter (where mention_topic.sentiment in ('negative', 'neutral', 'positive'))
            as scored_count,
        count(*) filter (where mention_topic.sentiment = 'negative') as negative_count
    from mention_topic
    cross join about
    where
        mention_topic.published_at >= about.made_at - interval '7 days'
        and not mention_topic.is_own
    group by mention_topic.topic_id
)

select
    counted.topic_id,
    counted.mention_count,
    counted.scored_count,
    counted.negative_count,
    round(counted.negative_count / counted.scored_count, 2) as negative_share
from counted
cross join thresholds
where counted.scored_count >= thresholds.least_count
order by negative_share desc, counted.topic_id asc;
