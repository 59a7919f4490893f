-- Purpose: the words that were missing, in.
-- Grain: one row per mention. Reads: read_words (an Arrow table that pipelines/query_history.py
--   registers). Writes: mention.
merge into mention
using read_words
    on
        mention.published_at = read_words.published_at
        and mention.mention_id = read_words.mention_id
when matched then update set words = read_words.words;
