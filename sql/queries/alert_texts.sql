-- Question: what did the messages say that letters showed?
-- Purpose: the messages that letters showed, as far as they still may be shown.
-- Grain: one row per mention of $keys that is still kept, live, and has its text.
-- Reads: mention_scored. Read by: pipelines/post_mortem.py.
-- Units: $since to $until (UTC) hold their moments of publication.
select
    mention_id,
    title,
    text,
    url,
    network,
    published_at
from mention_scored
where
    published_at >= $since
    and published_at < $until
    and list_contains(cast($keys as varchar[]), mention_id)
    and text_expired_at is null;
