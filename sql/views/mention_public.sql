-- Purpose: what an analyst may see of each message: what was said, how it was read, never by whom.
-- Published: yes.
-- Grain: one row per live mention. Reads: mention_scored.
-- Units: times are UTC, `day_on` is the day at the institution; p_… and shares are 0..1,
--   sentiment_score -1..1; counts are those of the last look, null where the source has none.
-- Caveat: `url` is null for posts of people, whose permalink holds their handle: a moderator finds
--   it by `mention_id`. `text` is masked and empty once it has expired; `text_until_on` is the
--   day on which it is. Leave out `is_own` in statistics of tone and volume.
create or replace view mention_public as
select
    mention_scored.mention_id,
    mention_scored.source,
    mention_scored.source_name,
    mention_scored.network,
    mention_scored.content_type,
    mention_scored.subject_ids,
    mention_scored.query_versions,
    mention_scored.title,
    mention_scored.content_warning,
    mention_scored.text,
    mention_scored.words,
    mention_scored.text_hash,
    mention_scored.text_until_on,
    mention_scored.lang,
    mention_scored.published_at,
    mention_scored.day_on,
    mention_scored.hour_at,
    mention_scored.is_own,
    mention_scored.place_codes,
    mention_scored.like_count,
    mention_scored.reply_count,
    mention_scored.share_count,
    mention_scored.quote_count,
    mention_scored.view_count,
    mention_scored.sentiment,
    mention_scored.sentiment_score,
    mention_scored.p_negative,
    mention_scored.p_neutral,
    mention_scored.p_positive,
    mention_scored.acts,
    mention_scored.risk,
    mention_scored.p_irony,
    mention_scored.p_political,
    mention_scored.aspects,
    mention_scored.scorer_id,
    if(
        mention_scored.network = 'press'
        or mention_scored.content_type = 'article'
        or mention_scored.is_own,
        mention_scored.url,
        null
    ) as url,
    mention_scored.text_expired_at is not null as is_text_expired
from mention_scored;

comment on view mention_public is
'One row per live message with what the models said of it; nothing about who wrote it. Leave out '
'is_own in statistics of tone and volume.';
comment on column mention_public.subject_ids is 'Every watched subject the message names.';
comment on column mention_public.query_versions is
'Every version of a subject (id, @, hash) that has found the message, old ones too; "@given" where '
'its source is of one subject, "@own" where the institution posted it, "@under" where what it '
'stands under (a video, a thread) names the subject.';
comment on column mention_public.url is 'Address of an article or an own post; null for people.';
comment on column mention_public.text is 'Masked text; empty once it has expired.';
comment on column mention_public.words is
'The masked text as queries read it (pipelines/words.py); null once it has expired.';
comment on column mention_public.text_hash is 'Equal for copies of the same text.';
comment on column mention_public.text_until_on is 'The day on which the text is emptied.';
comment on column mention_public.published_at is 'UTC.';
comment on column mention_public.day_on is 'The day at the institution.';
comment on column mention_public.hour_at is 'The hour (UTC) in which it was published.';
comment on column mention_public.is_own is 'Posted by the institution itself.';
comment on column mention_public.place_codes is
'INSEE codes of the finest places the text names (never where its author is); null where nobody '
'looked. mention_place says what each lies within.';
comment on column mention_public.sentiment is
'negative, neutral, positive, or undetermined when the model abstains; null when not scored.';
comment on column mention_public.sentiment_score is '-1 (negative) to 1 (positive).';
comment on column mention_public.acts is
'What the message does: complaint, question, request, praise, claim, gather, threat, abuse; null '
'where it was scored before acts were.';
comment on column mention_public.risk is
'information, contested, hostile or illicit suspected: a person decides.';
comment on column mention_public.p_irony is 'How likely the message is ironic, 0..1.';
comment on column mention_public.p_political is 'How likely it is about public affairs, 0..1.';
comment on column mention_public.aspects is
'Public services it is about, see service, with the tone towards each where two differ.';
comment on column mention_public.p_negative is 'Calibrated probability, 0..1.';
comment on column mention_public.mention_id is
'Key of the message; the same in every table. Says nothing about who wrote it.';
comment on column mention_public.source is 'Kind of source: mastodon, feed, …';
comment on column mention_public.source_name is 'Name of the source block in vigie.toml.';
comment on column mention_public.network is 'Where it was published: mastodon, bluesky, press, …';
comment on column mention_public.content_type is 'post, reply, comment, review or article.';
comment on column mention_public.title is
'Masked title of an article, thread or video; null for most posts, or once expired.';
comment on column mention_public.content_warning is
'Masked warning its author put before it (Mastodon); null where there is none, or once expired.';
comment on column mention_public.lang is
'Language found, two letters; null where it could not be told.';
comment on column mention_public.like_count is
'Likes at the last look; null where the source tells none.';
comment on column mention_public.reply_count is
'Replies at the last look; null where the source tells none.';
comment on column mention_public.share_count is
'Shares at the last look; null where the source tells none.';
comment on column mention_public.quote_count is
'Quotes at the last look; null where the source tells none.';
comment on column mention_public.view_count is
'Views at the last look; null where the source tells none.';
comment on column mention_public.p_neutral is 'Calibrated probability, 0..1.';
comment on column mention_public.p_positive is 'Calibrated probability, 0..1.';
comment on column mention_public.scorer_id is 'Which models and thresholds gave the score.';
comment on column mention_public.is_text_expired is
'The text has had its time, or will have had before the next file.';
