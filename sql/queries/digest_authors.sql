-- Purpose: over how many distinct pseudonyms the aggregates of each day stand, for suppression.
-- Grain: one row per local day and scope: 'all' or a topic id.
-- Reads: daily, where authors are counted without any message. Read by: pipelines/digest.py.
-- Parameters: $first, $day: local dates, both included.
-- Units: pseudonyms are per network, so networks add up; of several subjects the largest counts,
--   since one author may speak of two. Below 10, the aggregate must not be published.
with per_subject as (
    select
        day_on,
        scope,
        subject_id,
        sum(author_count) as author_count
    from daily
    where day_on >= $first and day_on <= $day
    group by day_on, scope, subject_id
)

select
    day_on,
    scope,
    cast(max(author_count) as bigint) as author_count
from per_subject
group by day_on, scope
order by day_on, scope;
