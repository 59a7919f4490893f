-- Purpose: when mentions were last looked up again, whatever came of it.
-- Grain: one row per mention. Reads: the Parquet file of what was asked for (`$path`), known_key.
-- Writes: recheck. Units: `$loaded_at` (UTC) is the moment of the run that asked.
merge into recheck
using (
    select
        known_key.mention_id,
        known_key.published_at,
        min(asked.source_name) as source_name,
        cast($loaded_at as timestamptz) as asked_at
    from read_parquet($path) as asked
    inner join known_key on asked.mention_id = known_key.mention_id
    group by known_key.mention_id, known_key.published_at
) as asked
    on recheck.published_at = asked.published_at and recheck.mention_id = asked.mention_id
when matched and recheck.asked_at < asked.asked_at then
    update
        set
            source_name = asked.source_name,
            asked_at = asked.asked_at
when not matched then insert (mention_id, published_at, source_name, asked_at) values (
    asked.mention_id, asked.published_at, asked.source_name, asked.asked_at
);
