-- Question: which message has $labeller answered last?
-- Purpose: taking back the last answer. Grain: one row, none where they gave none that holds.
-- Reads: label. Read by: pipelines/labels.py.
select task_id
from label
where labeller = $labeller and withdrawn_at is null and not is_settlement
order by labelled_at desc, task_id asc
limit 1;
