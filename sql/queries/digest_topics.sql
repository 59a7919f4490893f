-- Purpose: the sensitive topics of a day, beside what they usually bring.
-- Grain: one row per topic seen that day.
-- Reads: mention_scored. Read by: pipelines/digest.py, analysts.
-- Parameters: $since, $until (the day, UTC, half open), $before (four weeks earlier), $days (how
--   many days with any reading lie between $before and $since).
-- Units: `mention_count` raw; `text_count` and `negative_count` distinct texts of determined tone;
--   `usual_count` mentions a day, mean of the days before; null below a week of history.
-- Caveat: publish no row over fewer than 10 authors (digest_authors counts them).
with bounds as (
    select cast($days as integer) as day_count
),

spread as (
    select
        published_at,
        text_hash,
        sentiment,
        unnest(topics) as topic_id
    from mention_scored
    where published_at >= $before and published_at < $until and not is_own
),

today as (
    select
        topic_id,
        count(*) as mention_count,
        count(distinct text_hash) filter (
            where sentiment in ('negative', 'neutral', 'positive')
        ) as text_count,
        count(distinct text_hash) filter (where sentiment = 'negative') as negative_count
    from spread
    where published_at >= $since
    group by topic_id
),

earlier as (
    select
        topic_id,
        count(*) / nullif($days, 0) as usual_count
    from spread
    where published_at < $since
    group by topic_id
)

select
    today.topic_id,
    today.mention_count,
    today.text_count,
    today.negative_count,
    case when bounds.day_count >= 7 then coalesce(earlier.usual_count, 0) end as usual_count
from today
cross join bounds
left join earlier on today.topic_id = earlier.topic_id
order by today.mention_count desc, today.topic_id asc;
