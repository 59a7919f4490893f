-- Purpose: what an analyst may see of each message: what was said, how it was read, never by whom.
-- Published: yes.
-- Grain: one row per live mention. Reads: mention_scored, mention.
-- Units: times are UTC, `day_on` is the day at the institution; p_… and shares are 0..1,
--   sentiment_score -1..1; counts are those of the last look, null where the source has none.
-- Caveat: `url` is null for posts of people, whose permalink holds their handle: a moderator finds
--   it by `mention_id`. `text` is masked and empty once it has expired; `text_until_on` is the
--   last day on which it may be kept. Leave out `is_own` in statistics of tone and volume.
create or replace view mention_public as
select
    scored.mention_id,
    scored.source,
    scored.source_name,
    scored.network,
    scored.content_type,
    scored.subject_ids,
    scored.title,
    scored.text,
    scored.text_hash,
    mention.retention_until as text_until_on,
    scored.lang,
    scored.published_at,
    scored.day_on,
    scored.hour_at,
    scored.is_own,
    scored.like_count,
    scored.reply_count,
    scored.share_count,
    scored.quote_count,
    scored.view_count,
    scored.sentiment,
    scored.sentiment_score,
    scored.p_negative,
    scored.p_neutral,
    scored.p_positive,
    scored.scorer_id,
    if(
        scored.network = 'press' or scored.content_type = 'article' or scored.is_own,
        scored.url,
        null
    ) as url,
    scored.text_expired_at is not null as is_text_expired
from mention_scored as scored
inner join mention
    on scored.published_at = mention.published_at and scored.mention_id = mention.mention_id;

comment on view mention_public is
'One row per live message with what the models said of it; nothing about who wrote it. Leave out '
'is_own in statistics of tone and volume.';
comment on column mention_public.subject_ids is 'Every watched subject the message names.';
comment on column mention_public.url is 'Address of an article or an own post; null for people.';
comment on column mention_public.text is 'Masked text; empty once it has expired.';
comment on column mention_public.text_hash is 'Equal for copies of the same text.';
comment on column mention_public.text_until_on is 'The last day on which the text may be kept.';
comment on column mention_public.published_at is 'UTC.';
comment on column mention_public.day_on is 'The day at the institution.';
comment on column mention_public.hour_at is 'The hour (UTC) in which it was published.';
comment on column mention_public.is_own is 'Posted by the institution itself.';
comment on column mention_public.sentiment is
'negative, neutral, positive, or undetermined when the model abstains; null when not scored.';
comment on column mention_public.sentiment_score is '-1 (negative) to 1 (positive).';
comment on column mention_public.p_negative is 'Calibrated probability, 0..1.';
