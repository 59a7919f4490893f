-- Purpose: how many distinct pseudonyms said some given texts, to know whether their tone may be
--   published.
-- Grain: one row.
-- Reads: mention; neither topic nor sentiment. Read by: pipelines/digest.py.
-- Parameters: $since, $until (UTC, half open); $texts: text hashes.
select count(distinct author_key) as author_count
from mention
where
    published_at >= $since and published_at < $until
    and text_hash in (select unnest(cast($texts as varchar[])));
