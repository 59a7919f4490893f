-- Purpose: what a reader has handed over, added to the coverage of its five minutes.
-- Grain: one row per five minutes and source block. Writes: intake.
-- Caveat: adds, so it runs once for each landing: pipelines/load.py asks table `listened` first. A
--   reader hands over every few seconds; one row each would make three years of coverage slow.
merge into intake
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
when matched then
    update
        set
            until_at = greatest(intake.until_at, incoming.until_at),
            status = incoming.status,
            payload_count = intake.payload_count + incoming.payload_count,
            post_count = intake.post_count + incoming.post_count,
            accepted_count = intake.accepted_count + incoming.accepted_count,
            rejected_count = intake.rejected_count + incoming.rejected_count,
            off_subject_count = intake.off_subject_count + incoming.off_subject_count,
            duplicate_count = intake.duplicate_count + incoming.duplicate_count,
            deleted_count = intake.deleted_count + incoming.deleted_count,
            is_capped = intake.is_capped or incoming.is_capped,
            gap_since_at = least(intake.gap_since_at, incoming.gap_since_at),
            gap_until_at = greatest(intake.gap_until_at, incoming.gap_until_at),
            note = coalesce(incoming.note, intake.note),
            newest_published_at
            = greatest(intake.newest_published_at, incoming.newest_published_at),
            finished_at = greatest(intake.finished_at, incoming.finished_at)
when not matched then insert (
    run_id, source_name, source, since_at, until_at, status, payload_count, post_count,
    accepted_count, rejected_count, off_subject_count, duplicate_count, deleted_count, is_capped,
    gap_since_at, gap_until_at, note, newest_published_at, finished_at
) values (
    incoming.run_id, incoming.source_name, incoming.source, incoming.since_at, incoming.until_at,
    incoming.status, incoming.payload_count, incoming.post_count, incoming.accepted_count,
    incoming.rejected_count, incoming.off_subject_count, incoming.duplicate_count,
    incoming.deleted_count, incoming.is_capped, incoming.gap_since_at, incoming.gap_until_at,
    incoming.note, incoming.newest_published_at, incoming.finished_at
);
