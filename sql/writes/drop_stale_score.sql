-- Purpose: no score of a text that has been edited since.
-- Grain: one row per changed mention. Reads: revised_mention, changed_key. Writes: score.
merge into score
using (
    select revised_mention.*
    from revised_mention
    semi join changed_key on revised_mention.mention_id = changed_key.mention_id
) as revised
    on score.published_at = revised.published_at and score.mention_id = revised.mention_id
when matched and score.text_hash is distinct from revised.text_hash then delete;
