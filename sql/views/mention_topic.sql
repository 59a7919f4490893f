-- Purpose: which topics each message is about.
-- Published: yes.
-- Grain: one row per live mention and topic; a mention without a topic has no row.
-- Reads: mention_scored. Units: `topic_p` is 0..1, calibrated.
-- Caveat: a message has several topics: never add them up. Says nothing about an author, and
--   cannot be joined to one.
create or replace view mention_topic as
with pairs as (
    select
        mention_scored.mention_id,
        mention_scored.published_at,
        mention_scored.day_on,
        mention_scored.network,
        mention_scored.is_own,
        mention_scored.sentiment,
        mention_scored.scorer_id,
        unnest(mention_scored.topics) as topic_id,
        unnest(mention_scored.topic_p) as topic_p
    from mention_scored
)

select
    pairs.mention_id,
    pairs.topic_id,
    pairs.topic_p,
    pairs.published_at,
    pairs.day_on,
    pairs.network,
    pairs.is_own,
    pairs.sentiment,
    pairs.scorer_id
from pairs;

comment on view mention_topic is
'One row per live message and topic. A message has several topics: never add them up.';
comment on column mention_topic.topic_id is 'T01 to T20, see the taxonomy.';
comment on column mention_topic.topic_p is 'Calibrated probability of the topic, 0..1.';
