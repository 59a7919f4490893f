-- Purpose: a fair sample of what was said in the two weeks before a day, to tell unusual words.
-- Grain: one row per sampled mention.
-- Reads: mention_scored. Read by: pipelines/digest.py.
-- Parameters: $before, $since (UTC, half open), $most.
-- Caveat: ids are hashes, so the first ones in their order are a sample, the same at every call.
select left(text, 2000) as text
from mention_scored
where
    published_at >= $before and published_at < $since
    and not is_own
    and text_expired_at is null
    and text <> ''
order by mention_id
limit $most;
