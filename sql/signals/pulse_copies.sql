-- Purpose: by how many people what may be copies of one text is said, for a replay.
-- Grain: one row per mention and subject of what may be a copy, from $since to $until.
-- Reads: mention_scored, mention, copied_text (text and what it may be a copy of; made by
--   pipelines/backtest_pulse.py). Read by: pipelines/backtest_pulse.py.
-- Units: times are seconds since 1970; `author_before` is when the same author last said one of
--   these texts (null: not since $since).
with spoken as (
    select
        mention_id,
        text_hash,
        epoch(published_at) as at_seconds,
        unnest(subject_ids) as subject_id
    from mention_scored
    where published_at >= $since and published_at < $until and not is_own
),

origin as (
    select
        mention_id,
        coalesce(author_key, relay_id, source_instance, source_name) as author
    from mention
    where published_at >= $since and published_at < $until
)

select
    spoken.subject_id,
    copied_text.spread_id,
    copied_text.is_claim,
    copied_text.is_call,
    spoken.at_seconds,
    lag(spoken.at_seconds) over (
        partition by spoken.subject_id, copied_text.spread_id, origin.author
        order by spoken.at_seconds asc
    ) as author_before
from spoken
inner join copied_text on spoken.text_hash = copied_text.text_hash
inner join origin on spoken.mention_id = origin.mention_id
order by spoken.subject_id, copied_text.spread_id, spoken.at_seconds;
