-- Question: how much of what was said could the models read at all?
-- Purpose: know what a share of negative messages leaves out. Grain: one row per language.
-- Reads: mention_public, about. Read by: analysts.
-- Units: counts of the last thirty days; shares are 0..1 of all messages of the language;
--   `mean_p` is the mean probability of the tone that was chosen.
-- Caveat: undetermined is an answer: the model abstains rather than guess. Null is no answer:
--   the message has not been scored. Languages of fewer than ten messages are left out.
select
    coalesce(mention_public.lang, 'unknown') as lang,
    count(*) as mention_count,
    round(count(*) filter (
        where mention_public.sentiment = 'undetermined'
    ) / count(*), 2) as undetermined_share,
    round(count(*) filter (where mention_public.sentiment is null) / count(*), 2)
        as unscored_share,
    round(avg(try_cast(case mention_public.sentiment
        when 'negative' then mention_public.p_negative
        when 'neutral' then mention_public.p_neutral
        when 'positive' then mention_public.p_positive
    end as decimal(7, 6))), 2) as mean_p
from mention_public
cross join about
where
    mention_public.published_at >= about.made_at - interval '30 days'
    and not mention_public.is_own
group by coalesce(mention_public.lang, 'unknown')
having count(*) >= 10
order by mention_count desc, lang asc;
