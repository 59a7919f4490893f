-- Purpose: how an incident's talk grows: all since it opened, the last hour, the hour before.
-- Grain: one row.
-- Reads: mention_scored, of the incident's subject and scope. Read by: pipelines/crisis.py.
-- Parameters: $subject_id and $scope of the incident (subject null: every one), $opened, $until.
-- Units: mentions, what the institution posted left out; `text_count`: distinct texts.
with bounds as (
    select
        cast($opened as timestamptz) as opened_at,
        cast($until as timestamptz) as until_at,
        cast($subject_id as varchar) as subject_id,
        cast($scope as varchar) as scope
)

select
    count(*) as mention_count,
    count(distinct mention_scored.text_hash) as text_count,
    count(*) filter (
        where mention_scored.published_at >= bounds.until_at - interval 1 hour
    ) as last_hour_count,
    count(*) filter (
        where mention_scored.published_at >= bounds.until_at - interval 2 hour
        and mention_scored.published_at < bounds.until_at - interval 1 hour
    ) as hour_before_count
from mention_scored
cross join bounds
where
    mention_scored.published_at >= bounds.opened_at
    and mention_scored.published_at < bounds.until_at
    and not mention_scored.is_own
    and (bounds.subject_id is null or list_contains(mention_scored.subject_ids, bounds.subject_id))
    and (bounds.scope = 'all' or list_contains(mention_scored.scopes, bounds.scope));
