-- Question: what is there to read of one drawn message, and what has $labeller said of it?
-- Purpose: the labelling desk. Grain: one row, none where $task_id was not drawn or its text is no
--   longer kept. Reads: label_task, label, mention, score. Read by: pipelines/labels.py.
-- Caveat: `said_…` is what the models say, to be shown once the person has answered. No author.
with taken_back as (
    select distinct task_id
    from label
    where labeller = $labeller and withdrawn_at is not null and not is_settlement
)

select
    label_task.task_id,
    label_task.published_at,
    label_task.copy_count,
    mention.network,
    mention.title,
    mention.text,
    mention.text_hash,
    score.scorer_id,
    score.sentiment as said_tone,
    score.topics as said_topics,
    score.acts as said_acts,
    own.label_id,
    own.tone,
    own.topics,
    own.acts,
    own.is_unreadable,
    taken_back.task_id is not null as is_again
from label_task
inner join mention
    on
        label_task.published_at = mention.published_at
        and label_task.mention_id = mention.mention_id
left join score
    on
        label_task.published_at = score.published_at
        and label_task.mention_id = score.mention_id
left join label as own
    on
        label_task.task_id = own.task_id
        and own.labeller = $labeller
        and own.withdrawn_at is null
        and not own.is_settlement
left join taken_back on label_task.task_id = taken_back.task_id
where
    label_task.task_id = $task_id
    and mention.deleted_at is null
    and mention.text_expired_at is null
    and mention.text != ''
    and not mention.optout;
