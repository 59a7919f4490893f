-- Purpose: what is said, as a replay needs it to know at which moments no rule can speak.
-- Grain: one row per mention, subject and scope ('all' or one of `scopes`) from $since to $until.
-- Reads: mention_scored, mention. Read by: pipelines/backtest_pulse.py.
-- Units: times are seconds since 1970; `text_before` and `author_before` are when the same text, or
--   the same author, was last there of the subject and scope (null: not since $since).
-- Caveat: a post dated to the day only counts in every window, which is more than rules see.
with spoken as (
    select
        mention_id,
        text_hash,
        published_at,
        sentiment,
        unnest(subject_ids) as subject_id,
        list_prepend('all', scopes) as scopes
    from mention_scored
    where published_at >= $since and published_at < $until and not is_own
),

origin as (
    select
        mention_id,
        coalesce(author_key, relay_id, source_instance, source_name) as author,
        published_precision in ('second', 'minute') as is_timed
    from mention
    where published_at >= $since and published_at < $until
),

per_scope as (
    select
        spoken.mention_id,
        spoken.subject_id,
        spoken.text_hash,
        spoken.sentiment,
        origin.author,
        origin.is_timed,
        epoch(spoken.published_at) as at_seconds,
        unnest(spoken.scopes) as scope
    from spoken
    inner join origin on spoken.mention_id = origin.mention_id
)

select
    subject_id,
    scope,
    at_seconds,
    is_timed,
    coalesce(sentiment, 'undetermined') = 'negative' as is_negative,
    coalesce(sentiment, 'undetermined') <> 'undetermined' as is_scored,
    lag(at_seconds) over (
        partition by subject_id, scope, text_hash
        order by at_seconds asc, mention_id asc
    ) as text_before,
    lag(at_seconds) over (
        partition by subject_id, scope, author
        order by at_seconds asc
    ) as author_before
from per_scope
order by subject_id, scope, at_seconds;
