-- Purpose: what was gained in each hour of the 28 days before, by subjects that gain much now.
-- Grain: one row per subject and hour before $as_of with a gain; 0 is the hour that ends with it.
-- Reads: mention_metric, mention, gaining_subject (made by pipelines/gains.py).
-- Read by: pipelines/gains.py. Units and caveat: as sql/signals/gains.sql.
with about as (
    select
        mention_id,
        published_at,
        unnest(subject_ids) as subject_id
    from mention
    where
        published_at >= $as_of - interval 29 day
        and published_at < $as_of
        and not is_own
        and deleted_at is null
),

ours as (
    select about.*
    from about
    semi join gaining_subject on about.subject_id = gaining_subject.subject_id
),

looks as (
    select
        ours.subject_id,
        mention_metric.published_at,
        mention_metric.counted_at,
        coalesce(mention_metric.like_count, 0)
        + coalesce(mention_metric.reply_count, 0)
        + coalesce(mention_metric.share_count, 0) as total,
        lag(mention_metric.counted_at) over by_message as looked_at,
        lag(total) over by_message as known
    from mention_metric
    inner join ours
        on
            mention_metric.published_at = ours.published_at
            and mention_metric.mention_id = ours.mention_id
    where mention_metric.counted_at <= $as_of
    window by_message as (
        partition by ours.subject_id, mention_metric.mention_id
        order by mention_metric.counted_at
    )
),

spans as (
    select
        subject_id,
        total - coalesce(known, 0) as gained,
        epoch($as_of - coalesce(looked_at, published_at)) / 3600 as since_hours,
        epoch($as_of - counted_at) / 3600 as until_hours
    from looks
    where
        total > coalesce(known, 0)
        and (looked_at is not null or counted_at < published_at + interval 1 day)
),

spread as (
    select
        subject_id,
        gained,
        since_hours,
        until_hours,
        unnest(range(
            cast(floor(until_hours) as bigint), cast(floor(since_hours) as bigint) + 1
        )) as hours_ago
    from spans
)

select
    subject_id,
    cast(hours_ago as integer) as hours_ago,
    cast(sum(cast(
        gained * if(
            since_hours - until_hours < 0.001,
            1.0,
            greatest(least(since_hours, hours_ago + 1) - greatest(until_hours, hours_ago), 0)
            / (since_hours - until_hours)
        ) as decimal(18, 6)
    )) as double) as gained_count
from spread
where hours_ago < 672
group by subject_id, hours_ago;
