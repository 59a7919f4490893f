-- Purpose: how many posts each source block heard of each hour, and how late.
-- Grain: one row per source block and hour (UTC) of publication with a post.
-- Reads: heard, source_start. Read by: pipelines/gaps.py.
-- Units: `$since` to `$until` (UTC, half open), whole hours; lateness in seconds, from publication
--   to the end of the run that first heard it.
-- Caveat: what was written before a block was first read is history and not late.
with posts as (
    select
        heard.mention_id,
        heard.source_name,
        heard.is_timed,
        heard.is_counted,
        timezone('UTC', date_trunc('hour', timezone('UTC', heard.published_at))) as hour_at,
        heard.published_at >= source_start.until_at as is_news,
        greatest(epoch(heard.heard_at) - epoch(heard.published_at), 0) as late_seconds
    from heard
    left join source_start on heard.source_name = source_start.source_name
    where
        heard.published_at >= cast($since as timestamptz)
        and heard.published_at < cast($until as timestamptz)
),

shared as (
    select
        posts.mention_id,
        count(*) as source_count
    from posts
    group by posts.mention_id
)

select
    posts.source_name,
    posts.hour_at,
    count(*) filter (where posts.is_counted) as mention_count,
    count(*) filter (where posts.is_counted and shared.source_count = 1) as only_count,
    count(*) filter (where posts.is_timed and posts.is_news) as timed_count,
    quantile_cont(posts.late_seconds, 0.5) filter (where posts.is_timed and posts.is_news)
        as late_p50_seconds,
    quantile_cont(posts.late_seconds, 0.95) filter (where posts.is_timed and posts.is_news)
        as late_p95_seconds
from posts
inner join shared on posts.mention_id = shared.mention_id
group by posts.source_name, posts.hour_at;
