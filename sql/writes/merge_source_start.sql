-- Purpose: the first window that a source block ever read well; what is older is history.
-- Grain: one row per source block. Writes: source_start.
merge into source_start
using (
    select
        cast($source_name as varchar) as source_name,
        cast($since_at as timestamptz) as since_at,
        cast($until_at as timestamptz) as until_at
) as incoming
    on source_start.source_name = incoming.source_name
when not matched then insert (source_name, since_at, until_at) values (
    incoming.source_name, incoming.since_at, incoming.until_at
);
