-- Purpose: where a window's mentions come from, and in what tone, copies included.
-- Grain: one row per network and tone.
-- Reads: mention_scored. Read by: pipelines/evidence.py.
select
    network,
    coalesce(sentiment, 'undetermined') as sentiment,
    count(*) as mention_count,
    count(distinct text_hash) as text_count
from mention_scored
where
    published_at >= $since
    and published_at < $until
    and not is_own
    and list_contains(subject_ids, $subject_id)
    and ($scope = 'all' or list_contains(scopes, $scope))
group by all
order by mention_count desc, network asc, sentiment asc;
