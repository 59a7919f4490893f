-- Purpose: what was said in the windows that end at $as_of, for rules to compare with a baseline.
-- Grain: one row per window (15, 60, 1440 minutes), subject and scope ('all' or one of `scopes`) in
--   which anything was said.
-- Reads: mention_scored, mention (only the last day of each). Read by: pipelines/baseline.py.
-- Units: `mention_count` is raw; `text_count` counts copies (same text_hash) once, and so do the
--   counts of tone. `author_count` is distinct pseudonyms, for a medium its site.
-- Caveat: a post dated to the day only counts in the window of a day. Authors are counted per
--   scope and nothing but the number leaves; no row here pairs one with a topic.
with spoken as (
    select
        mention_id,
        text_hash,
        subject_ids,
        published_at,
        list_prepend('all', scopes) as scopes,
        coalesce(sentiment, 'undetermined') as sentiment,
        coalesce(like_count, 0) + coalesce(reply_count, 0) + coalesce(share_count, 0) as engagement
    from mention_scored
    where published_at >= $as_of - interval 1 day and published_at < $as_of and not is_own
),

origin as (
    select
        mention_id,
        coalesce(author_key, relay_id, source_instance, source_name) as author,
        published_precision in ('second', 'minute') as is_timed
    from mention
    where published_at >= $as_of - interval 1 day and published_at < $as_of
),

per_subject as (
    select
        spoken.mention_id,
        spoken.text_hash,
        spoken.scopes,
        spoken.sentiment,
        spoken.published_at,
        spoken.engagement,
        origin.author,
        origin.is_timed,
        unnest(spoken.subject_ids) as subject_id
    from spoken
    inner join origin on spoken.mention_id = origin.mention_id
),

per_scope as (
    select
        mention_id,
        text_hash,
        subject_id,
        sentiment,
        published_at,
        engagement,
        author,
        is_timed,
        unnest(scopes) as scope
    from per_subject
),

lengths as (
    select
        window_minutes,
        $as_of - to_minutes(window_minutes) as since_at
    from (select unnest([15, 60, 1440]) as window_minutes) as every_length
),

within as (
    select
        per_scope.*,
        lengths.window_minutes
    from per_scope
    inner join lengths
        on
            per_scope.published_at >= lengths.since_at
            and (per_scope.is_timed or lengths.window_minutes = 1440)
),

voices as (
    select
        window_minutes,
        subject_id,
        scope,
        count(distinct author) as author_count
    from within
    group by all
),

said as (
    select
        window_minutes,
        subject_id,
        scope,
        text_hash,
        count(*) as copy_count,
        sum(engagement) as engagement,
        any_value(sentiment) as sentiment,
        arg_min(mention_id, (published_at, mention_id)) as mention_id
    from within
    group by all
),

told as (
    select
        window_minutes,
        subject_id,
        scope,
        cast(sum(copy_count) as bigint) as mention_count,
        count(*) as text_count,
        count(*) filter (where sentiment <> 'undetermined') as scored_count,
        count(*) filter (where sentiment = 'negative') as negative_count,
        list(
            mention_id order by copy_count desc, engagement desc, mention_id asc
        ) as message_ids,
        list(
            mention_id order by copy_count desc, engagement desc, mention_id asc
        ) filter (where sentiment = 'negative') as negative_message_ids
    from said
    group by all
)

select
    told.window_minutes,
    told.subject_id,
    told.scope,
    told.mention_count,
    told.text_count,
    voices.author_count,
    told.scored_count,
    told.negative_count,
    told.message_ids[1:3] as message_ids,
    coalesce(told.negative_message_ids[1:3], []) as negative_message_ids
from told
inner join voices
    on
        told.window_minutes = voices.window_minutes
        and told.subject_id = voices.subject_id
        and told.scope = voices.scope
order by told.window_minutes, told.subject_id, told.scope;
