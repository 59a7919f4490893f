-- Question: which claims go round, and how far have they gone?
-- Purpose: texts that state a fact to check and were repeated, over a week.
-- Grain: one row per text. Reads: mention_public, about. Read by: analysts.
-- Units: counts; times are UTC; `hours` from the first to the last copy.
-- Caveat: that a text claims is what a model read; whether it is true, nobody has said here. Copies
--   are equal after masking: another wording of a claim is another row.
select
    count(*) as copy_count,
    count(distinct mention_public.network) as network_count,
    count(distinct mention_public.source_name) as source_count,
    min(mention_public.published_at) as first_at,
    max(mention_public.published_at) as last_at,
    date_diff('hour', min(mention_public.published_at), max(mention_public.published_at)) as hours,
    sum(mention_public.share_count)::bigint as share_count,
    arg_min(
        mention_public.mention_id, row(mention_public.published_at, mention_public.mention_id)
    ) as first_mention_id,
    min(left(mention_public.text, 200)) as said
from mention_public
cross join about
where
    mention_public.published_at >= about.made_at - interval '7 days'
    and not mention_public.is_own
    and (mention_public.text != '' or mention_public.is_text_expired)
    and list_contains(mention_public.acts, 'claim')
group by mention_public.text_hash
having count(*) >= 2
order by copy_count desc, first_at asc, first_mention_id asc
limit 50;
