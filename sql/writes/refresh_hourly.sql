-- Purpose: count the touched hours of a span again.
-- Grain: one row per subject, scope and hour (UTC) with a mention. Writes: hourly.
-- Reads: mention_scored, mention, touched_hour. Units: `$since` to `$until`, half open (UTC).
-- Caveat: what the institution itself posted does not count. A mention counts once for each of
--   its subjects, and under 'all' and each of its `scopes`: never add scopes or subjects up. The
--   number of pseudonyms is kept so that small aggregates can be held back; no author is kept.
-- (noqa: the linter does not know `by name`.)
create or replace temp table fresh_hourly as
with counted as (
    select
        mention_scored.hour_at,
        mention.author_key,
        mention_scored.sentiment,
        unnest(mention_scored.subject_ids) as subject_id,
        list_prepend('all', mention_scored.scopes) as scopes
    from mention_scored
    inner join mention
        on
            mention_scored.published_at = mention.published_at
            and mention_scored.mention_id = mention.mention_id
    where
        mention_scored.published_at >= $since
        and mention_scored.published_at < $until
        and mention.published_at >= $since
        and mention.published_at < $until
        and not mention_scored.is_own
),

scoped as (
    select
        counted.hour_at,
        counted.subject_id,
        counted.author_key,
        counted.sentiment,
        unnest(counted.scopes) as scope
    from counted
    semi join touched_hour on counted.hour_at = touched_hour.hour_at
)

select
    scoped.hour_at,
    scoped.subject_id,
    scoped.scope,
    count(*) as mention_count,
    count(*) filter (where scoped.sentiment in ('negative', 'neutral', 'positive'))
        as scored_count,
    count(*) filter (where scoped.sentiment = 'negative') as negative_count,
    count(*) filter (where scoped.sentiment = 'positive') as positive_count,
    count(distinct scoped.author_key) as author_count
from scoped
group by scoped.hour_at, scoped.subject_id, scoped.scope;

merge into hourly  -- noqa: PRS
using fresh_hourly as fresh
    on
        hourly.hour_at = fresh.hour_at
        and hourly.subject_id = fresh.subject_id
        and hourly.scope = fresh.scope
when matched and (
    hourly.mention_count != fresh.mention_count
    or hourly.scored_count != fresh.scored_count
    or hourly.negative_count != fresh.negative_count
    or hourly.positive_count != fresh.positive_count
    or hourly.author_count != fresh.author_count
) then update by name
when not matched then insert by name;

delete from hourly
where
    hourly.hour_at >= $since
    and hourly.hour_at < $until
    and hourly.hour_at in (select touched_hour.hour_at from touched_hour)
    and not exists (
        select 1
        from fresh_hourly as fresh
        where
            fresh.hour_at = hourly.hour_at
            and fresh.subject_id = hourly.subject_id
            and fresh.scope = hourly.scope
    );
