-- Purpose: the stored mentions of a span, for scoring them again; the table contract of a run.
-- Grain: one row per live mention whose text has not expired. Reads: mention. Writes: `$path`.
-- Units: `$since` to `$until`, half open (UTC).
-- (noqa: the linter does not know this `copy`.)
-- Caveat: leaves the pseudonym out: a scorer needs no author.
copy (  -- noqa: PRS
    select mention.* replace (cast(null as varchar) as author_key)
    from mention
    where
        mention.published_at >= $since
        and mention.published_at < $until
        and mention.deleted_at is null
        and mention.text_expired_at is null
    order by mention.published_at, mention.mention_id
) to $path (format parquet, compression zstd);
