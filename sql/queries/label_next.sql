-- Question: which message is $labeller to judge next?
-- Purpose: the labelling desk. Grain: one row, none where nothing is left. Reads: label_task,
--   label, mention. Read by: pipelines/labels.py.
-- Caveat: the oldest draw first, since its texts expire first; within a draw each person has an
--   order of their own, so that two who label at once seldom meet.
with answered as (
    select
        task_id,
        count(*) as answer_count,
        bool_or(labeller = $labeller) as is_own
    from label
    where withdrawn_at is null and not is_settlement
    group by task_id
)

select label_task.task_id
from label_task
inner join mention
    on
        label_task.published_at = mention.published_at
        and label_task.mention_id = mention.mention_id
left join answered on label_task.task_id = answered.task_id
where
    coalesce(answered.answer_count, 0) < label_task.wanted_count
    and not coalesce(answered.is_own, false)
    and mention.deleted_at is null
    and mention.text_expired_at is null
    and mention.text != ''
    and not mention.optout
order by label_task.drawn_at, sha256(label_task.task_id || $labeller)
limit 1;
