-- Purpose: mentions in equal steps of five minutes, for the detector of bursts.
-- Grain: one row per subject and step with any mention, counted from $since (0 is the first).
-- Reads: mention, between $since and $until. Read by: pipelines/surge.py.
-- Units: raw counts, copies included, without the institution's own posts.
-- Caveat: a post dated to the day only has no step; mentions that have expired have none either.
with said as (
    select
        cast(floor(epoch(published_at - $since) / 300) as integer) as step_index,
        unnest(subject_ids) as subject_id
    from mention
    where
        published_at >= $since
        and published_at < $until
        and deleted_at is null
        and not optout
        and not is_own
        and published_precision in ('second', 'minute')
)

select
    subject_id,
    step_index,
    count(*) as mention_count
from said
group by all;
