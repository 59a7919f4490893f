-- Purpose: count the touched days of a span again.
-- Grain: one row per local day, subject, network and scope with a mention. Writes: daily.
-- Reads: mention, score, touched_day. Units: `$since` to `$until`, half open (UTC); a day is
--   one at the institution, whose zone is `$zone`.
-- Caveat: what the institution itself posted does not count. A mention counts once for each of
--   its subjects, and under 'all' and each of its topics: never add scopes or subjects up. The
--   number of pseudonyms is kept so that small aggregates can be held back; no author is kept.
-- (noqa: the linter does not know `by name`.)
create or replace temp table fresh_daily as
with counted as (
    select
        cast(timezone($zone, mention.published_at) as date) as day_on,
        mention.network,
        mention.author_key,
        score.sentiment,
        unnest(mention.subject_ids) as subject_id,
        list_prepend('all', coalesce(score.topics, [])) as scopes
    from mention
    left join score
        on mention.published_at = score.published_at and mention.mention_id = score.mention_id
    where
        mention.published_at >= $since
        and mention.published_at < $until
        and mention.deleted_at is null
        and not mention.optout
        and not mention.is_own
),

scoped as (
    select
        counted.day_on,
        counted.subject_id,
        counted.network,
        counted.author_key,
        counted.sentiment,
        unnest(counted.scopes) as scope
    from counted
    semi join touched_day on counted.day_on = touched_day.day_on
)

select
    scoped.day_on,
    scoped.subject_id,
    scoped.network,
    scoped.scope,
    count(*) as mention_count,
    count(*) filter (where scoped.sentiment in ('negative', 'neutral', 'positive'))
        as scored_count,
    count(*) filter (where scoped.sentiment = 'negative') as negative_count,
    count(*) filter (where scoped.sentiment = 'neutral') as neutral_count,
    count(*) filter (where scoped.sentiment = 'positive') as positive_count,
    count(*) filter (where scoped.sentiment = 'undetermined') as undetermined_count,
    count(distinct scoped.author_key) as author_count
from scoped
group by scoped.day_on, scoped.subject_id, scoped.network, scoped.scope;

merge into daily  -- noqa: PRS
using fresh_daily as fresh
    on
        daily.day_on = fresh.day_on
        and daily.subject_id = fresh.subject_id
        and daily.network = fresh.network
        and daily.scope = fresh.scope
when matched and (
    daily.mention_count != fresh.mention_count
    or daily.scored_count != fresh.scored_count
    or daily.negative_count != fresh.negative_count
    or daily.neutral_count != fresh.neutral_count
    or daily.positive_count != fresh.positive_count
    or daily.undetermined_count != fresh.undetermined_count
    or daily.author_count != fresh.author_count
) then update by name
when not matched then insert by name;

delete from daily
where
    daily.day_on >= cast(timezone($zone, $since) as date)
    and daily.day_on < cast(timezone($zone, $until) as date)
    and daily.day_on in (select touched_day.day_on from touched_day)
    and not exists (
        select 1
        from fresh_daily as fresh
        where
            fresh.day_on = daily.day_on
            and fresh.subject_id = daily.subject_id
            and fresh.network = daily.network
            and fresh.scope = daily.scope
    );
