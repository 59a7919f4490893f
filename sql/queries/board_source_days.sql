-- Question: what did a source bring on each day, and how far was it read?
-- Purpose: the board's page of a source. Grain: one row per local day with a mention.
-- Reads: mention_public (published). Read by: pipelines/board/coverage.py.
-- Parameters: $source_name; $since and $until (UTC, half open).
-- Caveat: own posts do not count. The tone of fewer than ten messages is for the page to hold back.
select
    day_on,
    count(*) as mention_count,
    count(*) filter (where sentiment in ('negative', 'neutral', 'positive')) as scored_count,
    count(*) filter (where sentiment = 'negative') as negative_count
from mention_public
where
    source_name = $source_name
    and published_at >= $since
    and published_at < $until
    and not is_own
group by day_on
order by day_on;
