-- Purpose: what was said in the windows that end at $as_of, for rules to compare with a baseline.
-- Grain: one row per window (15, 60, 1440 minutes), subject and scope ('all' or one of `scopes`) in
--   which anything was said. `is_judged`: often enough in a day for a rule to speak of it; a scope
--   that is not has no row.
-- Reads: mention_scored, mention (only the last day of each). Read by: pipelines/baseline.py, part
--   by part: subjects whose hash is $part of $parts, so that memory does not grow with the day.
-- Units: `mention_count` is raw; `text_count` counts copies (same text_hash) once, and so do the
--   counts of tone (a text has that of its first message). `author_count` is distinct pseudonyms,
--   for a medium its site.
-- Caveat: a post dated to the day only counts in the window of a day. Authors are counted per
--   scope and nothing but the number leaves; no row here pairs one with a topic.
with thresholds as (
    select
        5 as least_said, -- in a day: 0.6 of the fewest that any rule asks for
        2 as least_beside, -- of a scope, where so much is said that its share may make it critical
        20 as much_said
),

spoken as (
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
    where hash(subject_id) % $parts = $part
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
        arg_min(sentiment, (published_at, mention_id)) as sentiment,
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
),

weighed as (
    select
        told.*,
        max(told.mention_count) over (partition by told.subject_id, told.scope) as day_count,
        max(told.mention_count) filter (where told.scope = 'all') over (
            partition by told.subject_id
        ) as subject_count
    from told
)

select
    weighed.window_minutes,
    weighed.subject_id,
    weighed.scope,
    weighed.mention_count,
    weighed.text_count,
    voices.author_count,
    weighed.scored_count,
    weighed.negative_count,
    weighed.message_ids[1:3] as message_ids,
    coalesce(weighed.negative_message_ids[1:3], []) as negative_message_ids,
    weighed.day_count >= thresholds.least_said
    or (
        weighed.day_count >= thresholds.least_beside
        and weighed.subject_count >= thresholds.much_said
    ) as is_judged
from weighed
cross join thresholds
inner join voices
    on
        weighed.window_minutes = voices.window_minutes
        and weighed.subject_id = voices.subject_id
        and weighed.scope = voices.scope
where weighed.scope = 'all' or is_judged
order by weighed.window_minutes, weighed.subject_id, weighed.scope;
