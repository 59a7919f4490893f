-- Question: which mentions of a span have a text and no words that queries can read?
-- Purpose: what an older version stored, or an edit left to be read again; a slice of it.
-- Grain: one row per mention. Reads: mention. Read by: pipelines/query_history.py.
-- Units: `$since` to `$until`, half open (UTC); at most `$most` rows.
select
    mention.mention_id,
    mention.published_at,
    mention.title,
    mention.content_warning,
    mention.text,
    mention.hashtags,
    mention.mentioned_handles
from mention
where
    mention.published_at >= $since
    and mention.published_at < $until
    and mention.deleted_at is null
    and mention.text_expired_at is null
    and not mention.optout
    and mention.words is null
order by mention.published_at, mention.mention_id
limit $most;
