-- Purpose: empty the texts that have had their time, and what they were before edits; the mention
--   still counts.
-- Grain: one row per mention. Writes: mention_version, mention. Run by: pipelines/retention.py.
-- Units: `$text_before` (UTC) is the first sight from which a text is kept; `$day` is the day (UTC)
--   of the expiry, `$as_of` its moment.
-- Caveat: `retention_until` may be sooner than the settings say, since a source may ask for less.
update mention_version set text = '', text_hash = '', title = null, content_warning = null
from mention
where
    mention_version.published_at = mention.published_at
    and mention_version.mention_id = mention.mention_id
    and (
        mention.text_expired_at is not null
        or mention.retention_until <= cast($day as date)
        or mention.first_seen_at <= cast($text_before as timestamptz)
    );

update mention set
    text = '',
    title = null,
    words = null,
    content_warning = null,
    mentioned_handles = [],
    urls = [],
    text_expired_at = cast($as_of as timestamptz)
where
    mention.text_expired_at is null
    and mention.deleted_at is null
    and (
        mention.retention_until <= cast($day as date)
        or mention.first_seen_at <= cast($text_before as timestamptz)
    );
