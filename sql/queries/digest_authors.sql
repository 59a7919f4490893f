-- Purpose: over how many distinct pseudonyms each aggregate of a day stands, for suppression.
-- Grain: one row per scope: 'all' or a topic id.
-- Reads: daily, where authors are counted without any message. Read by: pipelines/digest.py.
-- Parameters: $day.
-- Units: pseudonyms are per network, so networks add up; of several subjects the largest counts,
--   since one author may speak of two. Below 10, the aggregate must not be published.
with per_subject as (
    select
        scope,
        subject_id,
        sum(author_count) as author_count
    from daily
    where day_on = $day
    group by scope, subject_id
)

select
    scope,
    cast(max(author_count) as bigint) as author_count
from per_subject
group by scope
order by scope;
