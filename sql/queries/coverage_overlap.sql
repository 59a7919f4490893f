-- Purpose: what two source blocks that read the same network heard, each alone and in common.
-- Grain: one row per network and pair of blocks with a post in common.
-- Reads: heard, mention, source_hour. Read by: pipelines/coverage.py (capture–recapture).
-- Units: posts published from `$since` to `$until` (UTC, half open), heard by `$as_of`.
-- Caveat: only hours that both blocks read whole. A post is the same by its key, else by its
--   address: two sources may give one article two keys. Two posts at one address count as one.
with read_hours as (
    select
        source_hour.source_name,
        source_hour.hour_at
    from source_hour
    where
        source_hour.hour_at >= cast($since as timestamptz) - interval '1 hour'
        and source_hour.hour_at < cast($until as timestamptz)
        and source_hour.read_seconds >= 0.9 * 3600
),

posts as (
    select distinct
        heard.source_name,
        mention.network,
        coalesce(mention.url, mention.mention_id) as post,
        timezone('UTC', date_trunc('hour', timezone('UTC', heard.published_at))) as hour_at
    from heard
    inner join mention
        on heard.published_at = mention.published_at and heard.mention_id = mention.mention_id
    where
        heard.published_at >= cast($since as timestamptz)
        and heard.published_at < cast($until as timestamptz)
        and heard.heard_at <= cast($as_of as timestamptz)
        and mention.deleted_at is null
),

pairs as (
    select
        one.hour_at,
        one.source_name as first_name,
        other.source_name as second_name
    from read_hours as one
    inner join read_hours as other
        on one.hour_at = other.hour_at and one.source_name < other.source_name
),

captures as (
    select
        pairs.first_name,
        pairs.second_name,
        posts.network,
        posts.post,
        bool_or(posts.source_name = pairs.first_name) as is_first,
        bool_or(posts.source_name = pairs.second_name) as is_second
    from posts
    inner join pairs
        on
            posts.hour_at = pairs.hour_at
            and posts.source_name in (pairs.first_name, pairs.second_name)
    group by pairs.first_name, pairs.second_name, posts.network, posts.post
)

select
    captures.network,
    captures.first_name,
    captures.second_name,
    count(*) filter (where captures.is_first) as first_count,
    count(*) filter (where captures.is_second) as second_count,
    count(*) filter (where captures.is_first and captures.is_second) as both_count
from captures
group by captures.network, captures.first_name, captures.second_name
having count(*) filter (where captures.is_first and captures.is_second) > 0
order by captures.network, captures.first_name, captures.second_name;
