-- Purpose: the messages of the analysts' file, without a text that expires before the next file.
-- Grain: one row per live mention. Reads: mention_public. Run by: pipelines/publish.py.
-- Caveat: a published file may stand for two days before `expire` removes it, so that a text
--   whose last day comes within those two days is left out now.
create table beside.mention_public as
with thresholds as (
    select cast($made_at as date) + 2 as last_on
)

select
    mention_public.* replace (
        if(mention_public.text_until_on > thresholds.last_on, mention_public.title, null) as title,
        if(mention_public.text_until_on > thresholds.last_on, mention_public.content_warning, null)
            as content_warning,
        if(mention_public.text_until_on > thresholds.last_on, mention_public.words, null) as words,
        if(mention_public.text_until_on > thresholds.last_on, mention_public.text, '') as text,
        mention_public.is_text_expired
        or mention_public.text_until_on <= thresholds.last_on as is_text_expired
    )
from mention_public
cross join thresholds;
