-- Purpose: how late posts were heard, of each source block and of all together.
-- Grain: one row per source block with five such posts, and one with a null name for all of them.
-- Reads: heard, source_start. Read by: pipelines/coverage.py.
-- Units: posts published from `$since` to `$until` (UTC, half open) and heard by `$as_of`; minutes
--   from publication to the end of the run that first heard them, by that block; all together: by
--   whichever block was first.
-- Caveat: what was written before a block was first read is history and not late; nor is a post
--   whose source does not tell its minute.
with thresholds as (
    select 5 as least_posts
),

posts as (
    select
        heard.mention_id,
        heard.source_name,
        greatest(epoch(heard.heard_at) - epoch(heard.published_at), 0) / 60 as late_minutes
    from heard
    inner join source_start on heard.source_name = source_start.source_name
    where
        heard.published_at >= cast($since as timestamptz)
        and heard.published_at < cast($until as timestamptz)
        and heard.heard_at <= cast($as_of as timestamptz)
        and heard.published_at >= source_start.until_at
        and heard.is_timed
),

soonest as (
    select
        null as source_name,
        min(posts.late_minutes) as late_minutes
    from posts
    group by posts.mention_id
),

told as (
    select
        posts.source_name,
        posts.late_minutes
    from posts
    union all
    select
        soonest.source_name,
        soonest.late_minutes
    from soonest
)

select
    told.source_name,
    count(*) as post_count,
    quantile_cont(told.late_minutes, 0.5) as p50_minutes,
    quantile_cont(told.late_minutes, 0.95) as p95_minutes
from told
cross join thresholds
group by told.source_name, thresholds.least_posts
having count(*) >= thresholds.least_posts
order by told.source_name;
