-- Question: whose tone or topic have moderators called wrong?
-- Purpose: messages to label because a person doubts them: the one that was named, or those that
--   the letters of the alert showed. Grain: one row per mention that may still be shown, reported
--   since $since, and not taken back. Reads: alert_judgement, alert_evidence, mention.
--   Read by: pipelines/labelling.py.
with reported as (
    select
        incident_id,
        mention_id,
        verdict
    from alert_judgement
    where verdict in ('wrong_tone', 'wrong_topic') and labelled_at > $since
),

shown as (
    select
        incident_id,
        unnest(json_extract_string(messages, '$[*].mention_id')) as mention_id
    from alert_evidence
),

named as (
    select
        mention_id,
        verdict
    from reported
    where mention_id is not null
    union
    select
        shown.mention_id,
        reported.verdict
    from reported
    inner join shown on reported.incident_id = shown.incident_id
    where reported.mention_id is null
)

select
    mention.mention_id,
    mention.published_at,
    mention.network,
    mention.text_hash,
    mention.text,
    min(named.verdict) as verdict
from mention
inner join named on mention.mention_id = named.mention_id
where
    mention.deleted_at is null
    and mention.text_expired_at is null
    and mention.text != ''
    and not mention.optout
    and not mention.is_own
group by all
order by mention.published_at, mention.mention_id;
