-- Purpose: how far each source was read in each hour, how late it was heard, and what is missing.
-- Published: yes.
-- Grain: one row per source block and hour (UTC) that some run has touched. Reads: source_hour.
-- Units: `read_share` 0..1 of what should have been read by then; minutes of the hour for gaps;
--   lateness in minutes, from publication to the run that first heard a post, by hour of
--   publication.
-- Caveat: read is not the same as heard: a source shows what its platform chooses to. Lateness of
--   fewer than five posts is null. An hour in which nothing ran at all has no row until it is read.
create or replace view coverage as
with thresholds as (
    select 5 as least_posts
)

select
    source_hour.source_name,
    source_hour.source,
    source_hour.hour_at,
    source_hour.run_count,
    source_hour.failed_count,
    source_hour.waiting_count,
    source_hour.capped_count,
    source_hour.read_seconds / nullif(source_hour.due_seconds, 0) as read_share,
    source_hour.capped_count > 0 as is_capped,
    source_hour.failed_count > 0 as has_failed,
    source_hour.gap_seconds / 60 as gap_minutes,
    source_hour.filled_seconds / 60 as filled_minutes,
    if(source_hour.timed_count >= thresholds.least_posts, source_hour.late_p50_seconds / 60, null)
        as late_p50_minutes,
    if(source_hour.timed_count >= thresholds.least_posts, source_hour.late_p95_seconds / 60, null)
        as late_p95_minutes
from source_hour
cross join thresholds;

comment on view coverage is
'One row per source and hour (UTC): how far it was read, how late, what is missing. Read is not '
'heard: a source shows what its platform chooses to.';
comment on column coverage.read_share is '0..1 of what should have been read; null: nothing due.';
comment on column coverage.is_capped is 'A limit of the source or of our budget cut a reading.';
comment on column coverage.has_failed is 'A reading failed or never ended.';
comment on column coverage.waiting_count is 'Readings that the source or our budget put off.';
comment on column coverage.gap_minutes is 'Minutes of the hour that no run has read.';
comment on column coverage.filled_minutes is 'Minutes that were a gap and have been read since.';
comment on column coverage.late_p50_minutes is 'Half the posts were heard sooner than this.';
comment on column coverage.late_p95_minutes is '95 % of the posts were heard sooner.';
comment on column coverage.source_name is 'Name of the source block in vigie.toml.';
comment on column coverage.source is 'Kind of source.';
comment on column coverage.hour_at is 'The hour, by its start (UTC).';
comment on column coverage.run_count is 'Runs that read any part of the hour.';
comment on column coverage.failed_count is 'Readings that failed or never ended.';
comment on column coverage.capped_count is 'Readings that a limit cut short.';
