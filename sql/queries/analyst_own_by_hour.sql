-- Question: at which hour do our posts draw most?
-- Purpose: engagement of own posts by hour of the day, over ninety days.
-- Grain: one row per network and local hour. Reads: own_post, about. Read by: analysts.
-- Units: medians of reactions (likes, replies, shares, quotes) and of reactions by view (0..1);
--   `usual_reactions` is the median of all own posts of that network.
-- Caveat: what draws reactions is not what is good: a bad day draws most. Fewer than five posts say
--   nothing, and are left out.
with usual as (
    select
        own_post.network,
        median(own_post.reaction_count) as reactions
    from own_post
    cross join about
    where own_post.published_at >= about.made_at - interval '90 days'
    group by own_post.network
)

select
    own_post.network,
    own_post.hour_of_day,
    count(*) as post_count,
    median(own_post.reaction_count) as median_reactions,
    any_value(usual.reactions) as usual_reactions,
    round(median(own_post.reaction_count) / nullif(any_value(usual.reactions), 0), 2) as ratio,
    round(median(own_post.engagement_rate), 4) as median_rate,
    sum(own_post.reply_count)::bigint as reply_count,
    sum(own_post.share_count)::bigint as share_count
from own_post
cross join about
left join usual on own_post.network = usual.network
where own_post.published_at >= about.made_at - interval '90 days'
group by own_post.network, own_post.hour_of_day
having count(*) >= 5
order by own_post.network asc, ratio desc nulls last, own_post.hour_of_day asc;
