-- Purpose: what messages gain, as a replay needs it to know when no hour can bring many reactions.
-- Grain: one row per look at a message that found more than the last, and subject; from $since to
--   $until.
-- Reads: mention_metric, mention. Read by: pipelines/backtest_pulse.py.
-- Units: `at_seconds` is when it was looked at, in seconds since 1970; `gained` is the most that an
--   hour can have of it (reactions, rounded up), as sql/signals/gains.sql spreads it.
with seen as (
    select distinct
        mention_id,
        published_at
    from mention_metric
    where counted_at >= $since and counted_at < $until
),

looks as (
    select
        mention_metric.mention_id,
        mention_metric.published_at,
        mention_metric.counted_at,
        coalesce(mention_metric.like_count, 0)
        + coalesce(mention_metric.reply_count, 0)
        + coalesce(mention_metric.share_count, 0) as total,
        lag(mention_metric.counted_at) over by_message as looked_at,
        coalesce(lag(total) over by_message, 0) as known
    from mention_metric
    semi join seen
        on
            mention_metric.published_at = seen.published_at
            and mention_metric.mention_id = seen.mention_id
    where mention_metric.counted_at < $until
    window by_message as (
        partition by mention_metric.mention_id
        order by mention_metric.counted_at
    )
)

select
    'reactions' as scope,
    cast(ceil((looks.total - looks.known) * least(
        1.0,
        3600 / greatest(
            epoch(looks.counted_at - coalesce(looks.looked_at, looks.published_at)), 1
        )
    )) as bigint) as gained,
    unnest(mention.subject_ids) as subject_id,
    epoch(looks.counted_at) as at_seconds
from looks
inner join mention
    on
        looks.published_at = mention.published_at
        and looks.mention_id = mention.mention_id
where
    looks.counted_at >= $since
    and looks.total > looks.known
    and (
        looks.looked_at is not null
        or looks.counted_at < looks.published_at + interval 1 day
    )
    and not mention.is_own
    and mention.deleted_at is null
order by subject_id, at_seconds;
