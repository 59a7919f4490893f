-- Purpose: which messages call for an answer, and how long the institution took to give one.
-- Published: yes.
-- Grain: one row per live message of others that asks, requests or complains.
-- Reads: mention_scored, mention. Units: `answer_minutes` from the message to the first own post
--   that replies to it or in the thread that it opened; times are UTC.
-- Caveat: only answers given in public, on sources that tell what a post replies to, and where the
--   institution's own posts are read: an answer by telephone or private message is not seen. The
--   act is what a model read, and it errs. Says nothing about who asked.
create or replace view answer_time as
with asked as (
    select
        mention_scored.mention_id,
        mention_scored.published_at,
        mention_scored.day_on,
        mention_scored.network,
        mention_scored.source_name,
        mention_scored.subject_ids,
        mention_scored.acts,
        mention_scored.sentiment
    from mention_scored
    where
        not mention_scored.is_own
        and list_has_any(mention_scored.acts, ['question', 'request', 'complaint'])
),

own as (
    select
        mention.source,
        mention.mention_id,
        mention.published_at,
        unnest(list_distinct([mention.parent_native_id, mention.root_native_id])) as above_id
    from mention
    where mention.is_own and mention.deleted_at is null
),

answered as (
    select
        mention.mention_id,
        min(own.published_at) as answered_at,
        arg_min(own.mention_id, (own.published_at, own.mention_id)) as answer_mention_id
    from mention
    inner join own
        on
            mention.source = own.source
            and mention.native_id = own.above_id
            and mention.published_at <= own.published_at
    where not mention.is_own and mention.deleted_at is null
    group by mention.mention_id
)

select
    asked.mention_id,
    asked.published_at,
    asked.day_on,
    asked.network,
    asked.source_name,
    asked.subject_ids,
    asked.acts,
    asked.sentiment,
    answered.answered_at,
    answered.answer_mention_id,
    date_diff('minute', asked.published_at, answered.answered_at) as answer_minutes
from asked
left join answered on asked.mention_id = answered.mention_id;

comment on view answer_time is
'One row per live message of others that asks, requests or complains, with the first own post that '
'answers it in public. No answer seen is not no answer given.';
comment on column answer_time.acts is 'What the message does: question, request, complaint, ….';
comment on column answer_time.answered_at is
'The first own post that replies to it or in the thread it opened (UTC); null where none is seen.';
comment on column answer_time.answer_mention_id is 'That post, in mention_public.';
comment on column answer_time.answer_minutes is 'From the message to that post.';
comment on column answer_time.mention_id is
'Key of the message; the same in every table. Says nothing about who wrote it.';
comment on column answer_time.published_at is 'UTC.';
comment on column answer_time.day_on is 'The day at the institution.';
comment on column answer_time.network is 'Where it was published: mastodon, bluesky, press, …';
comment on column answer_time.source_name is 'Name of the source block in vigie.toml.';
comment on column answer_time.subject_ids is 'Every watched subject the message names.';
comment on column answer_time.sentiment is
'negative, neutral, positive, undetermined; null when not scored.';
