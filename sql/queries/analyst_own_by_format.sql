-- Question: which form of our posts draws most?
-- Purpose: engagement of own posts by format, over ninety days.
-- Grain: one row per network and format. Reads: own_post, about. Read by: analysts.
-- Units: medians of reactions (likes, replies, shares, quotes) and of reactions by view (0..1);
--   `usual_reactions` is the median of all these posts of that network.
-- Caveat: what draws reactions is not what is good: a bad day draws most. Replies of ours, and what
--   fewer than five posts have, are left out.
select
    posted.network,
    posted.format,
    count(*) as post_count,
    median(posted.reaction_count) as median_reactions,
    any_value(posted.usual_reactions) as usual_reactions,
    round(median(posted.reaction_count) / nullif(any_value(posted.usual_reactions), 0), 2) as ratio,
    round(median(posted.engagement_rate), 4) as median_rate,
    sum(posted.reply_count)::bigint as reply_count,
    sum(posted.share_count)::bigint as share_count
from posted(days := 90) as posted
group by posted.network, posted.format
having count(*) >= 5
order by posted.network asc, ratio desc nulls last, posted.format asc;
