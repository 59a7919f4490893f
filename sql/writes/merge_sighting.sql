-- Purpose: a known mention was seen again: when, and its counts now.
-- Grain: one row per mention. Reads: revised_mention, changed_key. Writes: mention.
-- Caveat: leaves a row alone that says the same already, so that a second run writes nothing.
merge into mention
using (
    select revised_mention.*
    from revised_mention
    anti join changed_key on revised_mention.mention_id = changed_key.mention_id
) as seen
    on mention.published_at = seen.published_at and mention.mention_id = seen.mention_id
when matched and (
    mention.last_seen_at is distinct from seen.last_seen_at
    or mention.metrics_at is distinct from seen.metrics_at
    or mention.like_count is distinct from seen.like_count
    or mention.reply_count is distinct from seen.reply_count
    or mention.share_count is distinct from seen.share_count
    or mention.quote_count is distinct from seen.quote_count
    or mention.view_count is distinct from seen.view_count
    or mention.bookmark_count is distinct from seen.bookmark_count
    or mention.platform_score is distinct from seen.platform_score
    or mention.lookup_id is distinct from seen.lookup_id
) then update set
    last_seen_at = seen.last_seen_at,
    metrics_at = seen.metrics_at,
    like_count = seen.like_count,
    reply_count = seen.reply_count,
    share_count = seen.share_count,
    quote_count = seen.quote_count,
    view_count = seen.view_count,
    bookmark_count = seen.bookmark_count,
    platform_score = seen.platform_score,
    lookup_id = seen.lookup_id;
