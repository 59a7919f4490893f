-- Purpose: what each letter about an alert rested on when it was made, for a look back; and the
--   hours of the past by act, risk and service, which rules of this version compare with.

-- One row per text of a rule that has told of an alert: what was asked, as it was. Holds no post.
create table rule_text (
    rule_sha256 varchar not null,
    rule_id varchar not null,
    rule_version varchar not null,
    rule_sql varchar not null,
    first_used_at timestamptz not null
);

-- One row per letter about an incident (`sequence` counts them): the rule, what it said (`alert`,
-- JSON with its parameters and baseline), the curve (JSON: what was drawn, and `picture`, the PNG
-- of the mail), and the messages shown (JSON: ids and numbers; no word of anybody).
create table alert_evidence (
    incident_id varchar not null,
    sequence integer not null,
    made_at timestamptz not null,
    kind varchar not null,
    reason varchar not null,
    rule_sha256 varchar not null,
    alert varchar not null,
    curve varchar,
    picture blob,
    messages varchar not null,
    networks varchar not null,
    tone varchar not null
);

insert into hourly
with counted as (
    select
        timezone('UTC', date_trunc('hour', timezone('UTC', mention.published_at))) as hour_at,
        mention.author_key,
        score.sentiment,
        score.acts,
        score.aspects,
        score.risk,
        unnest(mention.subject_ids) as subject_id
    from mention
    inner join score
        on mention.published_at = score.published_at and mention.mention_id = score.mention_id
    where
        mention.published_at
        >= (select max(newest.published_at) from mention as newest) - interval 29 day
        and mention.deleted_at is null
        and not mention.optout
        and not mention.is_own
),

named as (
    select
        hour_at,
        subject_id,
        author_key,
        sentiment,
        list_concat(
            if(list_contains(acts, 'claim'), ['act:claim'], []),
            if(list_contains(acts, 'gather'), ['act:gather'], []),
            if(risk = 'illicit suspected', ['risk:illicit'], []),
            list_transform(
                list_filter(
                    if(list_contains(acts, 'complaint'), aspects, []),
                    lambda a: not suffix(a, ':positive')
                ),
                lambda a: 'service:' || split_part(a, ':', 1)
            )
        ) as scopes
    from counted
),

scoped as (
    select
        hour_at,
        subject_id,
        author_key,
        sentiment,
        unnest(scopes) as scope
    from named
)

select
    hour_at,
    subject_id,
    scope,
    count(*) as mention_count,
    count(*) filter (where sentiment in ('negative', 'neutral', 'positive')) as scored_count,
    count(*) filter (where sentiment = 'negative') as negative_count,
    count(*) filter (where sentiment = 'positive') as positive_count,
    count(distinct author_key) as author_count
from scoped
group by hour_at, subject_id, scope;
