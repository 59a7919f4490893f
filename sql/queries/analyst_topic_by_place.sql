-- Question: what is talked about where?
-- Purpose: the topics of messages that name each commune, over thirty days.
-- Grain: one row per commune and topic. Reads: mention_place, mention_topic, topic, about.
-- Read by: analysts. Units: counts of messages; `lift` is the topic's share there over its share
--   among all messages that name a commune.
-- Caveat: what a text names, never where its author is. Fewer than ten messages are left out, and
--   a lift of few is chance.
with placed as (
    select distinct
        mention_place.mention_id,
        mention_place.commune_code,
        mention_place.commune_name
    from mention_place
    cross join about
    where
        mention_place.published_at >= about.made_at - interval '30 days'
        and not mention_place.is_own
        and mention_place.commune_code is not null
),

topics as (
    select
        mention_topic.mention_id,
        mention_topic.topic_id
    from mention_topic
    cross join about
    where mention_topic.published_at >= about.made_at - interval '30 days'
),

counted as (
    select
        placed.commune_code,
        topics.topic_id,
        any_value(placed.commune_name) as commune_name,
        count(*) as mention_count
    from placed
    inner join topics on placed.mention_id = topics.mention_id
    group by placed.commune_code, topics.topic_id
),

there as (
    select
        placed.commune_code,
        count(*) as place_count
    from placed
    group by placed.commune_code
),

everywhere as (
    select
        topics.topic_id,
        count(distinct placed.mention_id)
        / (select count(distinct every.mention_id) from placed as every) as topic_share
    from placed
    inner join topics on placed.mention_id = topics.mention_id
    group by topics.topic_id
)

select
    counted.commune_code,
    counted.commune_name,
    counted.topic_id,
    topic.label_fr as label,
    counted.mention_count,
    round(counted.mention_count / there.place_count, 3) as there_share,
    round(counted.mention_count / there.place_count / everywhere.topic_share, 2) as lift
from counted
inner join there on counted.commune_code = there.commune_code
inner join everywhere on counted.topic_id = everywhere.topic_id
left join topic on counted.topic_id = topic.topic_id
where counted.mention_count >= 10
order by lift desc, counted.mention_count desc, counted.commune_code asc, counted.topic_id asc;
