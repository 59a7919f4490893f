-- Purpose: the texts that an edit replaced before their post was ever loaded, kept as they were.
-- Grain: one row per replaced text. Reads: the Parquet file of a run's replaced mentions (`$path`),
--   known_key, mention. Writes: mention_version.
-- Caveat: run when the run's mentions and deletions are merged; none is kept of a post that is
--   gone, was refused, has expired, or whose author asks not to be read.
insert into mention_version
select
    replaced.mention_id,
    known_key.published_at,
    replaced.text_hash,
    replaced.title,
    replaced.content_warning,
    replaced.text,
    replaced.first_seen_at as seen_at,
    mention.last_seen_at as replaced_at
from read_parquet($path) as replaced
inner join known_key on replaced.mention_id = known_key.mention_id
inner join mention
    on
        known_key.published_at = mention.published_at
        and known_key.mention_id = mention.mention_id
anti join mention_version as version
    on
        known_key.published_at = version.published_at
        and replaced.mention_id = version.mention_id
        and replaced.text_hash = version.text_hash
where
    mention.deleted_at is null
    and mention.text_expired_at is null
    and not mention.optout
    and mention.text_hash != replaced.text_hash;
