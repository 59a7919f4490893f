-- Purpose: what the detector of bursts learns once a day, and questions of one kind by the hour.
-- Read by: pipelines/learnt.py; written by: sql/writes/burst_day_add.sql.

-- One row per watched series and UTC day: numbers only (pipelines/learnt.py packs them). `stamp`
-- says what of the days before was known then: where that has changed, the series is learnt anew.
create table burst_day (
    day_on date not null,
    subject_id varchar not null,
    scope varchar not null,
    stamp varchar not null,
    kept blob not null
);

-- Questions about one topic or service, by the hour, as sql/writes/refresh_hourly.sql counts them:
-- without a past, their usual would be taken for none.
insert into hourly
with asked as (
    select
        timezone('UTC', date_trunc('hour', timezone('UTC', mention.published_at))) as hour_at,
        mention.author_key,
        score.sentiment,
        unnest(mention.subject_ids) as subject_id,
        list_transform(
            list_distinct(list_concat(
                coalesce(score.topics, []),
                list_transform(
                    coalesce(score.aspects, []),
                    lambda a: split_part(a, ':', 1)  -- noqa: RF02
                )
            )),
            lambda about: 'question:' || about  -- noqa: RF02
        ) as scopes
    from mention
    inner join score
        on mention.published_at = score.published_at and mention.mention_id = score.mention_id
    where
        list_contains(score.acts, 'question')
        and mention.deleted_at is null
        and not mention.optout
        and not mention.is_own
),

scoped as (
    select
        asked.*,
        unnest(asked.scopes) as scope
    from asked
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
