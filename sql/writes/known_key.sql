-- Purpose: which of the wanted keys the warehouse knows, and when those posts were published.
-- Grain: one row per known mention. Reads: mention, wanted_key. Read by: pipelines/load.py.
-- Caveat: this is the one place of a load that reads all of history, and it reads only the key.
--   Every later statement joins on `published_at` too, so that DuckDB skips the other days.
create or replace temp table known_key as
select
    mention.mention_id,
    mention.published_at
from mention
semi join wanted_key on mention.mention_id = wanted_key.mention_id;
