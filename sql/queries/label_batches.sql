-- Question: which draws were made on a day?
-- Purpose: a draw that was made is not made again. Grain: one row per draw of $day, or of its
--   $seed where that is not null. Reads: label_batch, label_task. Read by: pipelines/labelling.py.
-- Units: counts are of messages; `mention_count` counts copies, `distinct_count` does not.
select
    label_batch.batch_id,
    label_batch.seed,
    label_batch.mention_count,
    label_batch.distinct_count,
    count(*) filter (where label_task.part = 'random') as random_count,
    count(*) filter (where label_task.part = 'unsure') as unsure_count,
    count(*) filter (where label_task.part = 'reported') as reported_count
from label_batch
left join label_task on label_batch.batch_id = label_task.batch_id
where
    label_batch.day_on = $day
    and label_batch.seed = coalesce(cast($seed as integer), label_batch.seed)
group by all
order by label_batch.batch_id;
