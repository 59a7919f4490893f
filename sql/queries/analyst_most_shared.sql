-- Question: which messages travelled furthest in the last week?
-- Purpose: the messages with the most reactions, to read them. Grain: one row per message.
-- Reads: mention_public, about. Read by: analysts.
-- Units: `reaction_count` adds likes, replies, shares and quotes at the last look.
-- Caveat: networks count differently, and some tell nothing (null counts as 0 here): compare
--   within a network only. Texts are masked, and empty once they have expired.
select
    mention_public.network,
    mention_public.published_at,
    mention_public.sentiment,
    mention_public.url,
    mention_public.mention_id,
    coalesce(mention_public.like_count, 0)
    + coalesce(mention_public.reply_count, 0)
    + coalesce(mention_public.share_count, 0)
    + coalesce(mention_public.quote_count, 0) as reaction_count,
    coalesce(mention_public.title, left(mention_public.text, 200)) as said
from mention_public
cross join about
where
    mention_public.published_at >= about.made_at - interval '7 days'
    and not mention_public.is_own
qualify
    row_number() over (
        partition by mention_public.network
        order by reaction_count desc, mention_public.mention_id asc
    ) <= 10
order by mention_public.network asc, reaction_count desc, mention_public.mention_id asc;
