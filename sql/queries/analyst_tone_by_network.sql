-- Question: on which network is the tone hardest, and how sure is that?
-- Purpose: the share of negative messages of each network with its interval, over thirty days.
-- Grain: one row per network. Reads: mention_public, about. Read by: analysts.
-- Units: shares 0..1 of the messages with a tone; the interval is Wilson's, 95 %.
-- Caveat: undetermined messages are in no share: see how many there are. Intervals that overlap
--   are no difference. A model may read one network better than another. Networks of fewer than ten
--   messages are left out.
with counted as (
    select
        mention_public.network,
        count(*) as mention_count,
        count(*) filter (
            where mention_public.sentiment in ('negative', 'neutral', 'positive')
        ) as n,
        count(*) filter (where mention_public.sentiment = 'negative') as k,
        count(*) filter (where mention_public.sentiment = 'positive') as positive_count,
        count(*) filter (where mention_public.sentiment = 'undetermined') as undetermined_count
    from mention_public
    cross join about
    where
        mention_public.published_at >= about.made_at - interval '30 days'
        and not mention_public.is_own
    group by mention_public.network
)

select
    counted.network,
    counted.mention_count,
    counted.n as scored_count,
    round(counted.k / nullif(counted.n, 0), 3) as negative_share,
    round(share_low(counted.k, counted.n), 3) as low,
    round(share_high(counted.k, counted.n), 3) as high,
    round(counted.positive_count / nullif(counted.n, 0), 3) as positive_share,
    round(counted.undetermined_count / counted.mention_count, 3) as undetermined_share
from counted
where counted.mention_count >= 10
order by low desc nulls last, counted.network asc;
