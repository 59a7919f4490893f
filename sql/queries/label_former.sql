-- Question: what did $labeller say of a message before they took it back?
-- Purpose: a form that keeps what was right of it. Grain: one row, the last; none where nothing was
--   taken back. Reads: label. Read by: pipelines/labels.py.
select
    tone,
    topics,
    acts,
    is_unreadable
from label
where
    task_id = $task_id
    and labeller = $labeller
    and withdrawn_at is not null
    and not is_settlement
order by withdrawn_at desc, labelled_at desc, label_id asc
limit 1;
