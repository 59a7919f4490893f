-- Purpose: which media, institutions and officials in office spoke of us that day.
-- Grain: one row per relay of the allow-list of `vigie.toml`.
-- Reads: mention_scored. Read by: pipelines/digest.py, analysts.
-- Parameters: $since, $until (UTC, half open).
-- Caveat: relays only, never persons: `relay_id` is null for everyone else.
select
    relay_id,
    count(*) as mention_count,
    arg_min(mention_id, (published_at, mention_id)) as mention_id,
    arg_min(url, (published_at, mention_id)) as url,
    arg_min(coalesce(title, left(text, 300)), (published_at, mention_id)) as text
from mention_scored
where
    published_at >= $since and published_at < $until
    and not is_own
    and relay_id is not null
group by relay_id
order by mention_count desc, relay_id asc;
