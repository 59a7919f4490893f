-- Purpose: what a run read from one source block: kept, refused, missed. This is the coverage.
-- Grain: one row per run and source block. Writes: intake.
-- (noqa: the linter does not know `by name`.)
merge into intake  -- noqa: PRS
using (
    select
        cast($run_id as varchar) as run_id,
        cast($source_name as varchar) as source_name,
        cast($source as varchar) as source,
        cast($since_at as timestamptz) as since_at,
        cast($until_at as timestamptz) as until_at,
        cast($status as varchar) as status,
        cast($payload_count as bigint) as payload_count,
        cast($post_count as bigint) as post_count,
        cast($accepted_count as bigint) as accepted_count,
        cast($rejected_count as bigint) as rejected_count,
        cast($off_subject_count as bigint) as off_subject_count,
        cast($duplicate_count as bigint) as duplicate_count,
        cast($deleted_count as bigint) as deleted_count,
        cast($is_capped as boolean) as is_capped,
        cast($gap_since_at as timestamptz) as gap_since_at,
        cast($gap_until_at as timestamptz) as gap_until_at,
        cast($note as varchar) as note,
        cast($newest_published_at as timestamptz) as newest_published_at,
        cast($finished_at as timestamptz) as finished_at
) as incoming
    on intake.run_id = incoming.run_id and intake.source_name = incoming.source_name
when matched then update by name
when not matched then insert by name;
