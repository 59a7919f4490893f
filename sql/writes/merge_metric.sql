-- Purpose: the counts of the slice that are first, or differ from those of the look before.
-- Grain: one row per mention and look. Reads: incoming_mention, new_key, kept_mention,
--   revised_mention. Writes: mention_metric.
-- Caveat: run before the slice is merged, while `kept_mention` is what the warehouse holds: what
--   has changed is found without reading the history. An older look, or one without counts,
--   changes nothing and leaves no row.
merge into mention_metric
using (
    select
        incoming.mention_id,
        incoming.published_at,
        incoming.metrics_at as counted_at,
        incoming.like_count,
        incoming.reply_count,
        incoming.share_count,
        incoming.quote_count,
        incoming.view_count
    from incoming_mention as incoming
    inner join new_key on incoming.row_number = new_key.row_number
    where incoming.metrics_at is not null
    union all
    select
        revised.mention_id,
        revised.published_at,
        revised.metrics_at as counted_at,
        revised.like_count,
        revised.reply_count,
        revised.share_count,
        revised.quote_count,
        revised.view_count
    from revised_mention as revised
    inner join kept_mention as kept on revised.mention_id = kept.mention_id
    where
        revised.like_count is distinct from kept.like_count
        or revised.reply_count is distinct from kept.reply_count
        or revised.share_count is distinct from kept.share_count
        or revised.quote_count is distinct from kept.quote_count
        or revised.view_count is distinct from kept.view_count
) as counted
    on
        mention_metric.published_at = counted.published_at
        and mention_metric.mention_id = counted.mention_id
        and mention_metric.counted_at = counted.counted_at
when matched then
    update
        set
            like_count = counted.like_count,
            reply_count = counted.reply_count,
            share_count = counted.share_count,
            quote_count = counted.quote_count,
            view_count = counted.view_count
when not matched then insert (
    mention_id,
    published_at,
    counted_at,
    like_count,
    reply_count,
    share_count,
    quote_count,
    view_count
) values (
    counted.mention_id, counted.published_at, counted.counted_at, counted.like_count,
    counted.reply_count, counted.share_count, counted.quote_count, counted.view_count
);
