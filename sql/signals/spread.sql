-- Purpose: how far each message that is passed on has gone, near-copies together.
-- Grain: one row per window (60 and 360 minutes), subject and group of near-copies.
-- Reads: copied_text (which group a text is of, and what that group does; made by
--   pipelines/spreads.py), mention_scored, mention. Read by: pipelines/spreads.py.
-- Units: `mention_count` is raw; `text_count` distinct texts; `author_count` distinct pseudonyms,
--   for a medium its site; `window_count` all mentions of the subject; `place_count` mentions that
--   name a place; `danger_count` mentions whose topic is crisis and civil safety (T20).
-- Caveat: authors are counted and nothing but the number leaves.
with spoken as (
    select
        mention_id,
        text_hash,
        published_at,
        unnest(subject_ids) as subject_id,
        len(coalesce(place_codes, [])) > 0 as is_placed,
        coalesce(list_contains(topics, 'T20'), false) as is_danger
    from mention_scored
    where
        published_at >= $as_of - to_minutes($minutes)
        and published_at < $as_of
        and not is_own
),

origin as (
    select
        mention_id,
        coalesce(author_key, relay_id, source_instance, source_name) as author
    from mention
    where published_at >= $as_of - to_minutes($minutes) and published_at < $as_of
),

copied as (
    select
        spoken.*,
        origin.author,
        copied_text.spread_id,
        copied_text.is_claim,
        copied_text.is_call,
        copied_text.is_dated,
        copied_text.is_denial
    from spoken
    inner join copied_text
        on spoken.text_hash = copied_text.text_hash
    inner join origin on spoken.mention_id = origin.mention_id
),

lengths as (
    select unnest([60, cast($minutes as integer)]) as window_minutes
),

heard as (
    select
        lengths.window_minutes,
        spoken.subject_id,
        count(*) as window_count
    from spoken
    inner join lengths on spoken.published_at >= $as_of - to_minutes(lengths.window_minutes)
    group by all
)

select
    lengths.window_minutes,
    copied.subject_id,
    copied.spread_id,
    copied.is_claim,
    copied.is_call,
    copied.is_dated,
    copied.is_denial,
    count(*) as mention_count,
    count(distinct copied.text_hash) as text_count,
    count(distinct copied.author) as author_count,
    count(*) filter (where copied.is_placed) as place_count,
    count(*) filter (where copied.is_danger) as danger_count,
    any_value(heard.window_count) as window_count,
    min(copied.published_at) as since_at,
    list(copied.mention_id order by copied.published_at asc, copied.mention_id asc)[1:3]
        as message_ids
from copied
inner join lengths
    on copied.published_at >= $as_of - to_minutes(lengths.window_minutes)
inner join heard
    on
        lengths.window_minutes = heard.window_minutes
        and copied.subject_id = heard.subject_id
group by all
order by
    lengths.window_minutes asc,
    copied.subject_id asc,
    author_count desc,
    mention_count desc,
    copied.spread_id asc;
