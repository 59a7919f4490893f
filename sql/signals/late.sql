-- Purpose: past hours of which something was heard only since $since, too late for a window to see.
-- Grain: one row per hour of the last day, the gravest first.
-- Reads: mention_scored, mention. Read by: pipelines/late.py.
-- Units: `last_at` is when the newest of it was published; `is_grave`: a suspected threat or a
--   danger (T20) is in it, for which one message is enough.
with thresholds as (
    select
        24 as hours_back,
        60 as minutes_late,
        5 as enough
),

heard as (
    select
        mention_scored.published_at,
        mention_scored.hour_at,
        list_has_any(mention_scored.scopes, ['risk:illicit', 'T20']) as is_grave
    from mention_scored
    cross join thresholds
    inner join mention
        on
            mention_scored.published_at = mention.published_at
            and mention_scored.mention_id = mention.mention_id
    where
        mention_scored.published_at >= $as_of - to_hours(thresholds.hours_back)
        and mention_scored.published_at < $as_of - to_minutes(thresholds.minutes_late)
        and mention.first_seen_at > $since
        and mention.first_seen_at <= $as_of
        and mention.published_precision in ('second', 'minute')
        and not mention_scored.is_own
),

counted as (
    select
        hour_at,
        max(published_at) as last_at,
        count(*) as mention_count,
        bool_or(is_grave) as is_grave
    from heard
    group by hour_at
)

select
    counted.last_at,
    counted.mention_count,
    counted.is_grave
from counted
cross join thresholds
where counted.is_grave or counted.mention_count >= thresholds.enough
order by counted.is_grave desc, counted.mention_count desc, counted.last_at desc;
