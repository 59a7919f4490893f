-- Purpose: changed mentions written again.
-- Grain: one row per mention. Reads: revised_mention, changed_key. Writes: mention, touched_moment.
-- Caveat: `published_at` of a mention never changes, so joining on it as well as on the key finds
--   the same row and spares DuckDB the other days.
-- (noqa: the linter does not know `by name`, which keeps a column added later in its place.)
insert into touched_moment
select changed_key.published_at from changed_key;

merge into mention  -- noqa: PRS
using (
    select revised_mention.*
    from revised_mention
    semi join changed_key on revised_mention.mention_id = changed_key.mention_id
) as revised
    on
        mention.published_at = revised.published_at
        and mention.mention_id = revised.mention_id
when matched then update by name;
