-- Purpose: the ratings that people gave to services, that day and in the four weeks before.
-- Grain: one row per network rated that day by at least 10 distinct people: fewer would show what
-- one of them thinks.
-- Reads: mention (ratings are not in mention_scored; authors are counted, never shown).
-- Read by: pipelines/digest.py, analysts.
-- Parameters: $before, $since, $until (UTC, half open).
-- Units: `rating` and `usual_rating` are means on a scale of 0..1, each review on its own scale; of
--   decimals, so that no order of rows changes them.
with rated as (
    select
        network,
        published_at,
        author_key,
        try_cast(
            (rating_value - coalesce(rating_min, 0))
            / nullif(rating_max - coalesce(rating_min, 0), 0) as decimal(18, 6)
        ) as rating
    from mention
    where
        published_at >= $before and published_at < $until
        and rating_value is not null and rating_max is not null
        and deleted_at is null and not optout and not is_own
)

select
    network,
    count(*) filter (where published_at >= $since) as review_count,
    avg(rating) filter (where published_at >= $since) as rating,
    avg(rating) filter (where published_at < $since) as usual_rating
from rated
group by network
having count(distinct author_key) filter (where published_at >= $since) >= 10
order by review_count desc, network asc;
