-- Purpose: one judgement of a drawn message; nothing when it is there already.
-- Grain: one row per label_id. Reads: label. Written by: pipelines/labels.py.
merge into label
using (select 1 as one) as fresh
    on label.label_id = $label_id
when not matched then insert (
    label_id, task_id, labeller, labelled_at, text_hash, tone, topics, acts, is_unreadable,
    is_settlement, is_again, scorer_id, withdrawn_at
) values (
    $label_id, $task_id, $labeller, $as_of, $text_hash, $tone, $topics, $acts, $is_unreadable,
    $is_settlement, $is_again, $scorer_id, null
);
