-- Purpose: no count, text or look-up outlives its mention. Grain: one row of each table.
-- Writes: mention_version, recheck, mention_metric. Run by: pipelines/retention.py.
delete from mention_version
where not exists (
    select 1
    from mention
    where
        mention.published_at = mention_version.published_at
        and mention.mention_id = mention_version.mention_id
);
delete from recheck
where not exists (
    select 1
    from mention
    where
        mention.published_at = recheck.published_at and mention.mention_id = recheck.mention_id
);
delete from mention_metric
where not exists (
    select 1
    from mention
    where
        mention.published_at = mention_metric.published_at
        and mention.mention_id = mention_metric.mention_id
);
