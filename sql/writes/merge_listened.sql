-- Purpose: how far the landings of a reader have been loaded. Moves only with the load of its rows.
-- Grain: one row per source block. Writes: listened.
-- Caveat: names of landings sort as they were written; an older one never moves it back.
merge into listened
using (
    select
        cast($source_name as varchar) as source_name,
        cast($landed as varchar) as landed,
        cast($until_at as timestamptz) as until_at,
        cast($run_id as varchar) as run_id,
        cast($finished_at as timestamptz) as moved_at
) as incoming
    on listened.source_name = incoming.source_name
when matched then
    update
        set
            landed = greatest(listened.landed, incoming.landed),
            until_at = greatest(listened.until_at, incoming.until_at),
            run_id = incoming.run_id,
            moved_at = greatest(listened.moved_at, incoming.moved_at)
when not matched then insert (source_name, landed, until_at, run_id, moved_at) values (
    incoming.source_name, incoming.landed, incoming.until_at, incoming.run_id, incoming.moved_at
);
