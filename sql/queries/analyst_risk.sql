-- Question: what looks hostile or illicit, and on which topics?
-- Purpose: messages by what a model suspects, topic by topic, over thirty days: topic and risk, no
--   names. Grain: one row per topic and risk; topic null for messages without one.
-- Reads: mention_public, mention_topic, topic, about. Read by: analysts.
-- Units: counts of messages. Caveat: a suspicion of a model, never a finding: a person decides. A
--   message has several topics. Fewer than ten messages are left out.
select
    mention_topic.topic_id,
    mention_public.risk,
    any_value(topic.label_fr) as label,
    count(*) as mention_count,
    count(*) filter (where mention_public.published_at >= about.made_at - interval '7 days')
        as week_count
from mention_public
cross join about
left join mention_topic
    on
        mention_public.published_at = mention_topic.published_at
        and mention_public.mention_id = mention_topic.mention_id
left join topic on mention_topic.topic_id = topic.topic_id
where
    mention_public.published_at >= about.made_at - interval '30 days'
    and not mention_public.is_own
    and mention_public.risk in ('hostile', 'illicit suspected')
group by mention_topic.topic_id, mention_public.risk
having count(*) >= 10
order by mention_count desc, mention_topic.topic_id asc nulls last, mention_public.risk asc;
