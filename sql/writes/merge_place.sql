-- Purpose: the places of stored mentions, read again.
-- Grain: one row per mention. Reads: the Parquet file `$path` (mention_id, published_at,
--   place_codes). Writes: mention. Caveat: a mention whose text has gone since the file was written
--   keeps what it has; a row that says the same already is left alone.
merge into mention
using (
    select again.*
    from read_parquet($path) as again
) as again
    on mention.published_at = again.published_at and mention.mention_id = again.mention_id
when matched and (
    mention.deleted_at is null
    and mention.text_expired_at is null
    and mention.place_codes is distinct from again.place_codes
) then update set place_codes = again.place_codes;
