-- Question: how far is the labelling?
-- Purpose: the labelling desk. Grain: one row. Reads: label_task, label, mention.
-- Read by: pipelines/labels.py.
-- Units: `wanted` and `given` are answers, of messages that can be read or were answered; `own` are
--   those of $labeller; `lost` are messages whose text went before anybody answered.
with answered as (
    select
        task_id,
        count(*) as answer_count,
        count(*) filter (where labeller = $labeller) as own_count
    from label
    where withdrawn_at is null and not is_settlement
    group by task_id
),

told as (
    select
        label_task.wanted_count,
        coalesce(answered.answer_count, 0) as answer_count,
        coalesce(answered.own_count, 0) as own_count,
        mention.mention_id is not null as is_there
    from label_task
    left join answered on label_task.task_id = answered.task_id
    left join mention
        on
            label_task.published_at = mention.published_at
            and label_task.mention_id = mention.mention_id
            and mention.deleted_at is null
            and mention.text_expired_at is null
            and mention.text != ''
            and not mention.optout
)

select
    coalesce(sum(if(is_there, greatest(wanted_count, answer_count), answer_count)), 0) as wanted,
    coalesce(sum(answer_count), 0) as given,
    coalesce(sum(own_count), 0) as own,
    count(*) filter (where not is_there and answer_count = 0) as lost
from told;
