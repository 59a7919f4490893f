-- Question: did a change of models move the tone?
-- Purpose: tone and abstention by the models that gave the scores, over ninety days.
-- Grain: one row per scorer. Reads: mention_public, about. Read by: analysts.
-- Units: shares 0..1; times are UTC. Caveat: two scorers read other days: a difference may be the
--   days'. `vigie rescore` reads the old ones again, and then there is one row.
select
    mention_public.scorer_id,
    min(mention_public.published_at) as first_at,
    max(mention_public.published_at) as last_at,
    count(*) as mention_count,
    round(count(*) filter (where mention_public.sentiment = 'negative') / nullif(count(*) filter (
        where mention_public.sentiment in ('negative', 'neutral', 'positive')
    ), 0), 3) as negative_share,
    round(count(*) filter (where mention_public.sentiment = 'undetermined') / count(*), 3)
        as undetermined_share
from mention_public
cross join about
where
    mention_public.published_at >= about.made_at - interval '90 days'
    and not mention_public.is_own
    and mention_public.scorer_id is not null
group by mention_public.scorer_id
order by first_at asc, mention_public.scorer_id asc;
