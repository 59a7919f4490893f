-- Purpose: one draw with its messages; nothing when the draw is there already.
-- Grain: one row per batch_id, and one per message of it. Reads: fresh_task (a draw's messages).
-- Written by: pipelines/labelling.py.
insert into label_task by name
select fresh_task.*
from fresh_task
where not exists (
    select 1
    from label_batch
    where label_batch.batch_id = $batch_id
);

merge into label_batch
using (select 1 as one) as fresh
    on label_batch.batch_id = $batch_id
when not matched then insert (
    batch_id, day_on, seed, since_at, until_at, mention_count, distinct_count, drawn_at, drawn_by
) values (
    $batch_id, $day, $seed, $since, $until, $mention_count, $distinct_count, $as_of, $actor
);
