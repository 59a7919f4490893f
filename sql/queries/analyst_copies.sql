-- Question: which texts are repeated word for word?
-- Purpose: tell one message with many copies from many messages. Grain: one row per text.
-- Reads: mention_public, about. Read by: analysts.
-- Units: `network_count` counts networks; times are UTC.
-- Caveat: only copies that are equal after masking; near copies and translations are not seen.
--   Texts that have expired still count, by their hash; what never had any (a picture) does not.
select
    count(*) as copy_count,
    count(distinct mention_public.network) as network_count,
    min(mention_public.published_at) as first_at,
    max(mention_public.published_at) as last_at,
    min(left(mention_public.text, 200)) as said,
    arg_min(
        mention_public.mention_id, row(mention_public.published_at, mention_public.mention_id)
    ) as first_mention_id
from mention_public
cross join about
where
    mention_public.published_at >= about.made_at - interval '7 days'
    and not mention_public.is_own
    and (mention_public.text != '' or mention_public.is_text_expired)
group by mention_public.text_hash
having count(*) > 1
order by copy_count desc, first_at asc, first_mention_id asc
limit 50;
