-- Purpose: what a window's mentions are about, copies included.
-- Grain: one row per sensitive topic that any of them has; a mention may have several.
-- Reads: mention_scored. Read by: pipelines/evidence.py.
with said as (
    select
        mention_id,
        coalesce(topics, []) as topics
    from mention_scored
    where
        published_at >= $since
        and published_at < $until
        and not is_own
        and list_contains(subject_ids, $subject_id)
        and ($scope = 'all' or list_contains(scopes, $scope))
),

topic as (
    select
        mention_id,
        unnest(topics) as topic_id
    from said
)

select
    topic_id,
    count(*) / (select count(*) from said) as mention_share
from topic
group by topic_id
order by mention_share desc, topic_id asc;
