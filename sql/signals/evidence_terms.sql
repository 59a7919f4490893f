-- Purpose: how many texts of a window hold a word, and how many of the seven days before.
-- Grain: one row per word of at least four letters that three texts of the window hold.
-- Reads: mention_scored (eight days). Read by: pipelines/evidence.py.
-- Units: distinct texts, so that copies count once; `now_total` and `past_total` are all texts.
with said as (
    select
        text_hash,
        published_at >= $since as is_now,
        any_value(text) as text
    from mention_scored
    where
        published_at >= $since - interval 7 day
        and published_at < $until
        and not is_own
        and list_contains(subject_ids, $subject_id)
    group by all
),

total as (
    select
        count(*) filter (where is_now) as now_total,
        count(*) filter (where not is_now) as past_total
    from said
),

word as (
    select
        is_now,
        unnest(list_distinct(regexp_extract_all(
            lower(regexp_replace(text, 'https?://\S+|\[[^\]]*\]|[@#]\S+', ' ', 'g')),
            '\p{L}[\p{L}-]{3,}'
        ))) as term
    from said
),

counted as (
    select
        term,
        count(*) filter (where is_now) as now_count,
        count(*) filter (where not is_now) as past_count
    from word
    group by term
)

select
    counted.term,
    counted.now_count,
    counted.past_count,
    total.now_total,
    total.past_total
from counted
cross join total
where counted.now_count >= 3
order by counted.now_count desc, counted.term asc;
