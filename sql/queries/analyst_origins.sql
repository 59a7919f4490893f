-- Question: where do the texts that are copied begin?
-- Purpose: from which source a text that others repeat was first heard, and where it went.
-- Grain: one row per source of the first message and source of the copies. Reads: mention_public,
--   about. Read by: analysts. Units: counts of the last thirty days; hours from first to copy.
-- Caveat: first as published, among what was heard: the true origin may never have been. Only
--   copies that are equal after masking; messages without a text are none.
with heard as (
    select
        mention_public.text_hash,
        mention_public.source_name,
        mention_public.published_at,
        first_value(mention_public.source_name) over first_first as origin_name,
        first_value(mention_public.published_at) over first_first as origin_at,
        row_number() over first_first as place
    from mention_public
    cross join about
    where
        mention_public.published_at >= about.made_at - interval '30 days'
        and not mention_public.is_own
        and (mention_public.text != '' or mention_public.is_text_expired)
    window first_first as (
        partition by mention_public.text_hash
        order by mention_public.published_at asc, mention_public.mention_id asc
    )
)

select
    heard.origin_name,
    heard.source_name as copied_on,
    count(distinct heard.text_hash) as text_count,
    count(*) as copy_count,
    round(median(date_diff('minute', heard.origin_at, heard.published_at) / 60), 1)
        as median_hours
from heard
where heard.place > 1
group by heard.origin_name, heard.source_name
order by copy_count desc, heard.origin_name asc, copied_on asc;
