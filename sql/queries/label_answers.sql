-- Question: what has everybody said of the drawn messages?
-- Purpose: agreement, the gold set and its export. Grain: one row per label that holds.
-- Reads: label, label_task, mention, score. Read by: pipelines/labels.py.
-- Units: times are UTC. `text` and `title` are null where the text is no longer kept, or is another
--   than the one that was judged; `said_…` and `p_…` are null where no score of that text is kept.
-- Caveat: holds who labelled, never who wrote.
select
    label.task_id,
    label.labeller,
    label.labelled_at,
    label.text_hash,
    label.tone,
    label.topics,
    label.acts,
    label.is_unreadable,
    label.is_settlement,
    label.is_again,
    label_task.batch_id,
    label_task.part,
    label_task.reason,
    label_task.stratum,
    label_task.stratum_count,
    label_task.wanted_count,
    mention.title,
    mention.text,
    mention.lang,
    mention.network,
    mention.retention_until as text_until_on,
    score.scorer_id,
    score.p_negative,
    score.p_neutral,
    score.p_positive,
    score.topics as said_topics,
    score.acts as said_acts
from label
inner join label_task on label.task_id = label_task.task_id
left join mention
    on
        label_task.published_at = mention.published_at
        and label_task.mention_id = mention.mention_id
        and label.text_hash = mention.text_hash
        and mention.deleted_at is null
        and mention.text_expired_at is null
        and mention.text != ''
        and not mention.optout
left join score
    on
        label_task.published_at = score.published_at
        and label_task.mention_id = score.mention_id
        and label.text_hash = score.text_hash
where label.withdrawn_at is null
order by label_task.drawn_at, label.task_id, label.labelled_at, label.labeller;
