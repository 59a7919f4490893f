-- Question: which messages should a person read again, since the models are not sure?
-- Purpose: messages of a week whose two likeliest tones lie closest, to label them.
-- Grain: one row per message. Reads: mention_public, about. Read by: analysts.
-- Units: `margin` is the likeliest tone's probability less the next one's, 0..1.
-- Caveat: doubtful is not wrong, and sure is not right. Texts that have expired are left out.
with heard as (
    select
        mention_public.mention_id,
        mention_public.network,
        mention_public.published_at,
        mention_public.sentiment,
        mention_public.p_negative,
        mention_public.p_neutral,
        mention_public.p_positive,
        left(mention_public.text, 200) as said,
        list_reverse_sort(
            [mention_public.p_negative, mention_public.p_neutral, mention_public.p_positive]
        ) as sorted
    from mention_public
    cross join about
    where
        mention_public.published_at >= about.made_at - interval '7 days'
        and not mention_public.is_own
        and mention_public.text != ''
        and mention_public.p_negative is not null
)

select
    heard.mention_id,
    heard.network,
    heard.published_at,
    heard.sentiment,
    heard.said,
    round(heard.p_negative, 2) as p_negative,
    round(heard.p_neutral, 2) as p_neutral,
    round(heard.p_positive, 2) as p_positive,
    round((heard.sorted[1] - heard.sorted[2])::double, 3) as margin
from heard
order by margin asc, heard.mention_id asc
limit 100;
