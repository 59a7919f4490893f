-- Purpose: no score outlives its mention. Grain: one row per score. Writes: score.
delete from score
where not exists (
    select 1
    from mention
    where
        mention.published_at = score.published_at
        and mention.mention_id = score.mention_id
);
