-- Purpose: where the next run of a source block goes on. Moves only with the load of its rows.
-- Grain: one row per source block. Writes: source_cursor.
-- Caveat: names of runs sort as their windows do; an older run never moves a cursor back.
merge into source_cursor
using (
    select
        cast($source_name as varchar) as source_name,
        cast($cursor as varchar) as cursor,
        cast($run_id as varchar) as run_id,
        cast($loaded_at as timestamptz) as moved_at
) as incoming
    on source_cursor.source_name = incoming.source_name
when matched
and (
    incoming.run_id > source_cursor.run_id
    or (
        incoming.run_id = source_cursor.run_id and incoming.cursor != source_cursor.cursor
    )
)
then
    update
        set
            cursor = incoming.cursor,
            run_id = incoming.run_id,
            moved_at = incoming.moved_at
when not matched then insert (source_name, cursor, run_id, moved_at) values (
    incoming.source_name, incoming.cursor, incoming.run_id, incoming.moved_at
);
