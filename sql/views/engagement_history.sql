-- Purpose: how the counts of each message grew: one row for each look that found them changed.
-- Published: yes.
-- Grain: one row per live mention and look. Reads: mention_metric, mention.
-- Units: `counted_at` is when we looked (UTC); counts are totals then, null where the source has
--   none. Caveat: looks are seldom where a message is old, so a growth may be earlier than it is
--   seen. The first row of a message holds its first numbers.
create or replace view engagement_history as
select
    mention_metric.mention_id,
    mention_metric.counted_at,
    mention_metric.like_count,
    mention_metric.reply_count,
    mention_metric.share_count,
    mention_metric.quote_count,
    mention_metric.view_count
from mention_metric
inner join mention
    on
        mention_metric.published_at = mention.published_at
        and mention_metric.mention_id = mention.mention_id
where mention.deleted_at is null and not mention.optout;

comment on view engagement_history is
'One row per live message and look that found its counts changed: likes, replies, shares, quotes '
'and views at that moment (counted_at, UTC). The first row holds its first numbers.';
comment on column engagement_history.counted_at is 'When we looked (UTC).';
comment on column engagement_history.mention_id is
'Key of the message; the same in every table. Says nothing about who wrote it.';
comment on column engagement_history.like_count is
'Likes at the last look; null where the source tells none.';
comment on column engagement_history.reply_count is
'Replies at the last look; null where the source tells none.';
comment on column engagement_history.share_count is
'Shares at the last look; null where the source tells none.';
comment on column engagement_history.quote_count is
'Quotes at the last look; null where the source tells none.';
comment on column engagement_history.view_count is
'Views at the last look; null where the source tells none.';
