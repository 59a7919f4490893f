-- Purpose: a version of what a subject asks, and since when and until when it was used.
-- Grain: one row per version. Writes: query_version. Run by: pipelines/query_history.py.
-- Caveat: a version that comes back keeps its first use.
merge into query_version
using (
    select
        cast($version as varchar) as version,
        cast($subject_id as varchar) as subject_id,
        cast($asked as varchar) as asked,
        cast($used_at as timestamptz) as used_at
) as incoming
    on query_version.version = incoming.version
when matched and (
    incoming.used_at > query_version.last_used_at
    or incoming.used_at < query_version.first_used_at
)
then
    update
        set
            first_used_at = least(query_version.first_used_at, incoming.used_at),
            last_used_at = greatest(query_version.last_used_at, incoming.used_at)
when not matched then insert (version, subject_id, asked, first_used_at, last_used_at) values (
    incoming.version, incoming.subject_id, incoming.asked, incoming.used_at, incoming.used_at
);
