-- Question: on which topics do our posts draw most?
-- Purpose: engagement of own posts by topic, over ninety days.
-- Grain: one row per network and topic. Reads: own_post, topic, about. Read by: analysts.
-- Units: medians of reactions (likes, replies, shares, quotes) and of reactions by view (0..1);
--   `usual_reactions` is the median of all own posts of that network.
-- Caveat: what draws reactions is not what is good: a bad day draws most. Fewer than five posts say
--   nothing, and are left out. A post has several topics, so rows do not add up.
with own_topic as (
    select
        own_post.*,
        unnest(own_post.topic_ids) as topic_id
    from own_post
),

usual as (
    select
        own_post.network,
        median(own_post.reaction_count) as reactions
    from own_post
    cross join about
    where own_post.published_at >= about.made_at - interval '90 days'
    group by own_post.network
)

select
    own_topic.network,
    own_topic.topic_id,
    any_value(topic.label_fr) as label,
    count(*) as post_count,
    median(own_topic.reaction_count) as median_reactions,
    any_value(usual.reactions) as usual_reactions,
    round(median(own_topic.reaction_count) / nullif(any_value(usual.reactions), 0), 2) as ratio,
    round(median(own_topic.engagement_rate), 4) as median_rate,
    sum(own_topic.reply_count)::bigint as reply_count,
    sum(own_topic.share_count)::bigint as share_count
from own_topic
cross join about
left join topic on own_topic.topic_id = topic.topic_id
left join usual on own_topic.network = usual.network
where own_topic.published_at >= about.made_at - interval '90 days'
group by own_topic.network, own_topic.topic_id
having count(*) >= 5
order by own_topic.network asc, ratio desc nulls last, own_topic.topic_id asc;
