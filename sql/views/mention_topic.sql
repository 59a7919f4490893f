-- Purpose: which topics each message is about.
-- Published: yes.
-- Grain: one row per live mention and topic; a mention without a topic has no row.
-- Reads: mention_scored. Units: `topic_p` is 0..1, calibrated.
-- Caveat: a score holds the probability of every topic, T01 first, or those of its own topics
--   only. A message has several topics: never add them up. Says nothing about an author, and
--   cannot be joined to one.
create or replace view mention_topic as
with placed as (
    select
        mention_scored.mention_id,
        mention_scored.published_at,
        mention_scored.day_on,
        mention_scored.network,
        mention_scored.is_own,
        mention_scored.sentiment,
        mention_scored.scorer_id,
        mention_scored.topics,
        mention_scored.topic_p,
        unnest(generate_series(1, len(mention_scored.topics))) as place
    from mention_scored
),

named as (
    select
        placed.*,
        placed.topics[placed.place] as topic_id
    from placed
)

select
    named.mention_id,
    named.topic_id,
    named.published_at,
    named.day_on,
    named.network,
    named.is_own,
    named.sentiment,
    named.scorer_id,
    named.topic_p[
        if(
            len(named.topic_p) = len(named.topics),
            named.place,
            try_cast(substr(named.topic_id, 2) as integer)
        )
    ] as topic_p
from named;

comment on view mention_topic is
'One row per live message and topic. A message has several topics: never add them up.';
comment on column mention_topic.topic_id is 'T01 to T20, see the taxonomy.';
comment on column mention_topic.topic_p is 'Calibrated probability of the topic, 0..1.';
comment on column mention_topic.mention_id is
'Key of the message; the same in every table. Says nothing about who wrote it.';
comment on column mention_topic.published_at is 'UTC.';
comment on column mention_topic.day_on is 'The day at the institution.';
comment on column mention_topic.network is 'Where it was published: mastodon, bluesky, press, …';
comment on column mention_topic.is_own is 'Posted by the institution itself.';
comment on column mention_topic.sentiment is
'negative, neutral, positive, undetermined; null when not scored.';
comment on column mention_topic.scorer_id is 'Which models and thresholds gave the score.';
