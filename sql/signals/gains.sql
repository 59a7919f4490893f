-- Purpose: what is gained in an hour by what is said about a subject: likes, replies, shares.
-- Grain: one row per subject whose messages have gained $least or more in the hour before $as_of.
-- Reads: mention_metric, mention_scored. Read by: pipelines/gains.py.
-- Units: reactions. What a message gained between two looks is spread evenly over the time between
--   them; of its first look, over the time since it was published.
-- Caveat: a message first seen a day after it was published, or later, had its reactions at an
--   unknown time: they do not count. What no source looks up again is only known by its first look.
--   Added up as decimals: a sum of floats depends on the order in which rows happen to lie in the
--   tables, and a run that is killed and run again must say the same to the last digit.
with fresh as (
    select distinct
        mention_id,
        published_at
    from mention_metric
    where counted_at > $as_of - interval 1 hour and counted_at <= $as_of
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
        lag(total) over by_message as known
    from mention_metric
    semi join fresh
        on
            mention_metric.published_at = fresh.published_at
            and mention_metric.mention_id = fresh.mention_id
    where mention_metric.counted_at <= $as_of
    window by_message as (
        partition by mention_metric.mention_id
        order by mention_metric.counted_at
    )
),

spans as (
    select
        mention_id,
        published_at,
        total - coalesce(known, 0) as gained,
        coalesce(looked_at, published_at) as since_at,
        greatest(since_at, $as_of - interval 1 hour) as inside_at,
        greatest(epoch(counted_at - inside_at), 1) / greatest(epoch(counted_at - since_at), 1)
            as inside_share
    from looks
    where
        counted_at > $as_of - interval 1 hour
        and total > coalesce(known, 0)
        and (looked_at is not null or counted_at < published_at + interval 1 day)
),

messages as (
    select
        mention_id,
        published_at,
        sum(cast(gained * least(inside_share, 1.0) as decimal(18, 6))) as gained
    from spans
    group by all
),

about as (
    select
        messages.mention_id,
        messages.gained,
        unnest(mention_scored.subject_ids) as subject_id
    from messages
    inner join mention_scored
        on
            messages.published_at = mention_scored.published_at
            and messages.mention_id = mention_scored.mention_id
    where not mention_scored.is_own
)

select
    subject_id,
    cast(sum(gained) as double) as gained_count,
    cast(max(gained) as double) / cast(sum(gained) as double) as top_share,
    count(*) as message_count,
    list(mention_id order by gained desc, mention_id asc)[1:3] as message_ids
from about
group by subject_id
having sum(gained) >= $least
order by subject_id;
