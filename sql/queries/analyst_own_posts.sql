-- Question: which of our own posts were answered most?
-- Purpose: see what draws replies and shares. Grain: one row per own post of thirty days.
-- Reads: mention_public, about. Read by: analysts.
-- Units: counts at the last look; `rate` is reactions (likes, replies, shares, quotes) by view,
--   where the network tells views.
-- Caveat: networks count differently: compare within a network only.
select
    mention_public.network,
    mention_public.published_at,
    mention_public.reply_count,
    mention_public.share_count,
    mention_public.like_count,
    mention_public.url,
    round(
        (
            coalesce(mention_public.reply_count, 0)
            + coalesce(mention_public.share_count, 0)
            + coalesce(mention_public.like_count, 0)
            + coalesce(mention_public.quote_count, 0)
        ) / nullif(mention_public.view_count, 0), 4
    ) as rate,
    coalesce(mention_public.title, left(mention_public.text, 120)) as said
from mention_public
cross join about
where
    mention_public.published_at >= about.made_at - interval '30 days'
    and mention_public.is_own
order by
    mention_public.network asc,
    mention_public.reply_count desc nulls last,
    mention_public.published_at desc,
    mention_public.mention_id asc;
