-- Purpose: mentions in equal steps of five minutes, for the detector of bursts.
-- Grain: one row per watched series and step with any mention, counted from $since (0: the first).
-- Reads: mention, score, between $since and $until, watched_series (made by pipelines/surge.py).
-- Read by: pipelines/surge.py.
-- Units: raw counts, copies included, without the institution's own posts. `past_count` is those
--   published from $past_since to $past_until, for the stamp of what was learnt.
-- Caveat: a post dated to the day only has no step; mentions that have expired have none either.
--   The scope 'negative' is what is scored negative. Scores are read only where a scope needs them.
with wanted as (
    select distinct subject_id from watched_series
),

said as (
    select
        mention_id,
        published_at,
        -- A difference of two timestamptz goes by a calendar: 3 microseconds a row, a hundred
        -- times what whole microseconds take.
        cast(
            (epoch_us(published_at) - epoch_us(cast($since as timestamptz))) // 300000000 as integer
        ) as step_index,
        unnest(subject_ids) as subject_id
    from mention
    where
        published_at >= $since
        and published_at < $until
        and deleted_at is null
        and not optout
        and not is_own
        and published_precision in ('second', 'minute')
),

ours as (
    select said.*
    from said
    semi join wanted on said.subject_id = wanted.subject_id
),

scoped as (
    select
        mention_id,
        unnest(list_concat(scopes, if(sentiment = 'negative', ['negative'], []))) as scope
    from mention_scored
    where
        published_at >= $since
        and published_at < $until
        and (select bool_or(watched_series.scope <> 'all') from watched_series)
),

counted as (
    select
        ours.*,
        'all' as scope
    from ours
    union all by name
    select
        ours.*,
        scoped.scope
    from ours
    inner join scoped on ours.mention_id = scoped.mention_id
)

select
    watched_series.series,
    counted.step_index,
    count(*) as mention_count,
    count(*) filter (
        where counted.published_at >= $past_since and counted.published_at < $past_until
    ) as past_count
from counted
inner join watched_series
    on
        counted.subject_id = watched_series.subject_id
        and counted.scope = watched_series.scope
group by all;
