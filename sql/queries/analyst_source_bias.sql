-- Question: which source shows another face of what is said?
-- Purpose: tone and topics of each source block against all the others, over thirty days.
-- Grain: one row per source block. Reads: mention_public, about. Read by: analysts.
-- Units: shares 0..1; `negative_share` of the messages with a tone, with its interval (Wilson);
--   `others_negative_share` that of all other sources; `copied_share` of messages whose text
--   another message has too.
-- Caveat: a source is another public, not a wrong one. A model errs more on some kinds of writing,
--   and `undetermined_share` says where. Fewer than twenty messages with a tone are left out.
with heard as (
    select
        mention_public.source_name,
        mention_public.sentiment,
        count(*) over (partition by mention_public.text_hash) > 1
        and (mention_public.text != '' or mention_public.is_text_expired) as is_copied
    from mention_public
    cross join about
    where
        mention_public.published_at >= about.made_at - interval '30 days'
        and not mention_public.is_own
),

counted as (
    select
        heard.source_name,
        count(*) as mention_count,
        count(*) filter (where heard.sentiment in ('negative', 'neutral', 'positive')) as n,
        count(*) filter (where heard.sentiment = 'negative') as k,
        count(*) filter (where heard.sentiment = 'undetermined') as undetermined_count,
        count(*) filter (where heard.is_copied) as copied_count
    from heard
    group by heard.source_name
),

compared as (
    select
        counted.*,
        sum(counted.n) over () - counted.n as others_n,
        sum(counted.k) over () - counted.k as others_k,
        sum(counted.mention_count) over () as whole_count
    from counted
)

select
    compared.source_name,
    compared.mention_count,
    round(compared.mention_count / compared.whole_count, 3) as voice_share,
    round(compared.k / compared.n, 3) as negative_share,
    round(share_low(compared.k, compared.n), 3) as low,
    round(share_high(compared.k, compared.n), 3) as high,
    round(compared.others_k / nullif(compared.others_n, 0), 3) as others_negative_share,
    round(compared.undetermined_count / compared.mention_count, 3) as undetermined_share,
    round(compared.copied_count / compared.mention_count, 3) as copied_share
from compared
where compared.n >= 20
order by
    abs(compared.k / compared.n - compared.others_k / nullif(compared.others_n, 0)) desc nulls last,
    compared.source_name asc;
