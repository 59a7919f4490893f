-- Purpose: which sources a subject is usually heard by, for the spans that they were not read for.
-- Grain: one row per subject and source block that has brought any of its mentions.
-- Reads: mention, between $since and $until, of the subjects $subjects.
-- Read by: pipelines/unread.py.
-- Units: `mention_share` is 0..1 of the mentions of the subject.
with wanted as (
    select unnest($subjects) as subject_id
),

said as (
    select
        source_name,
        unnest(subject_ids) as subject_id
    from mention
    where published_at >= $since and published_at < $until and not is_own
),

counted as (
    select
        said.subject_id,
        said.source_name,
        count(*) as mention_count
    from said
    semi join wanted on said.subject_id = wanted.subject_id
    group by all
)

select
    subject_id,
    source_name,
    mention_count / sum(mention_count) over (partition by subject_id) as mention_share
from counted;
