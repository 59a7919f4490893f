-- Purpose: a day of mentions in equal steps, for the picture of a mail.
-- Grain: one row per step of $minutes with any mention, counted from $since (0 is the first).
-- Reads: mention_scored. Read by: pipelines/evidence.py.
select
    cast(floor(epoch(published_at - $since) / (60 * $minutes)) as integer) as step_index,
    count(*) as mention_count
from mention_scored
where
    published_at >= $since
    and published_at < $until
    and not is_own
    and list_contains(subject_ids, $subject_id)
    and ($scope = 'all' or list_contains(scopes, $scope))
group by step_index
order by step_index;
