-- Purpose: how many mentions each source block heard of each hour of a span.
-- Grain: one row per source block and hour (UTC) with one. Reads: heard.
-- Read by: pipelines/coverage.py.
-- Units: published from `$since` to `$until` (UTC, half open), heard by `$as_of`.
-- Caveat: a mention that two blocks heard counts for both; the institution's own posts do not.
select
    heard.source_name,
    timezone('UTC', date_trunc('hour', timezone('UTC', heard.published_at))) as hour_at,
    count(*) as mention_count
from heard
where
    heard.published_at >= cast($since as timestamptz)
    and heard.published_at < cast($until as timestamptz)
    and heard.heard_at <= cast($as_of as timestamptz)
    and heard.is_counted
group by heard.source_name, hour_at
order by heard.source_name, hour_at;
