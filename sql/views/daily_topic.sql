-- Purpose: how much each topic was talked about on each day, and in what tone.
-- Published: yes.
-- Grain: one row per local day, subject and topic with a mention. Reads: daily.
-- Units: `mention_share` is 0..1 of the day's messages on the subject, `negative_share` 0..1 of
--   the topic's messages with a tone.
-- Caveat: a message has several topics: shares do not add up to 1. Fewer than ten pseudonyms:
--   held back, figures are null.
create or replace view daily_topic as
with thresholds as (
    select 10 as k
),

counted as (
    select
        daily.day_on,
        daily.subject_id,
        daily.scope,
        sum(daily.author_count) as author_count,
        sum(daily.mention_count) as mention_count,
        sum(daily.scored_count) as scored_count,
        sum(daily.negative_count) as negative_count
    from daily
    group by daily.day_on, daily.subject_id, daily.scope
)

select
    topic.day_on,
    topic.subject_id,
    topic.scope as topic_id,
    topic.author_count < thresholds.k as is_suppressed,
    if(is_suppressed, null, topic.mention_count)::bigint as mention_count,
    if(is_suppressed, null, topic.mention_count / nullif(whole.mention_count, 0))
        as mention_share,
    if(is_suppressed, null, topic.scored_count)::bigint as scored_count,
    if(is_suppressed, null, topic.negative_count)::bigint as negative_count,
    if(is_suppressed, null, topic.negative_count / nullif(topic.scored_count, 0))
        as negative_share
from counted as topic
cross join thresholds
inner join counted as whole
    on
        topic.day_on = whole.day_on
        and topic.subject_id = whole.subject_id
        and whole.scope = 'all'
where topic.scope != 'all';

comment on view daily_topic is
'One row per local day, subject and topic. Shares of topics do not add up to 1. Figures of fewer '
'than ten pseudonyms are null.';
comment on column daily_topic.topic_id is 'T01 to T20, see the taxonomy.';
comment on column daily_topic.mention_share is '0..1 of the messages on the subject that day.';
comment on column daily_topic.day_on is 'The day at the institution.';
comment on column daily_topic.subject_id is 'The watched subject, as in vigie.toml.';
comment on column daily_topic.is_suppressed is 'Fewer than ten pseudonyms: figures held back.';
comment on column daily_topic.mention_count is 'Messages; null where held back.';
comment on column daily_topic.scored_count is
'Messages with a tone, undetermined ones left out; null where held back.';
comment on column daily_topic.negative_count is
'Messages in a negative tone; null where held back.';
comment on column daily_topic.negative_share is
'0..1 of the messages with a tone; null where held back.';
