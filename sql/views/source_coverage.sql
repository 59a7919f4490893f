-- Purpose: how far each source has been read, and what was not seen.
-- Published: yes.
-- Grain: one row per source block of the settings. Reads: source_block, intake, source_hour.
-- Units: times are UTC; `behind_minutes` and `is_silent` are told at `as_of`, the last run of any
--   source; `gap_minutes` and `capped_count` are of the seven days before it.
-- Caveat: no data is not calm. A source that is never late may still miss what its platform hides.
create or replace view source_coverage as
with latest as (
    select max(intake.finished_at) as as_of from intake
),

read_well as (
    select
        intake.source_name,
        max(intake.finished_at) as last_run_at,
        max(intake.until_at) filter (where intake.status = 'ok') as read_until_at,
        max(intake.finished_at) filter (where intake.status = 'ok') as last_ok_at,
        max(intake.newest_published_at) as newest_published_at,
        arg_max(intake.status, (intake.finished_at, intake.run_id)) as last_status,
        count(*) filter (
            where intake.is_capped and intake.finished_at > latest.as_of - interval '7 days'
        ) as capped_count,
        coalesce(sum(intake.accepted_count) filter (
            where intake.finished_at > latest.as_of - interval '1 day'
        ), 0) as accepted_count,
        coalesce(sum(intake.rejected_count) filter (
            where intake.finished_at > latest.as_of - interval '1 day'
        ), 0) as rejected_count
    from intake
    cross join latest
    group by intake.source_name
),

unread as (
    select
        source_hour.source_name,
        sum(source_hour.gap_seconds) // 60 as gap_minutes
    from source_hour
    cross join latest
    where source_hour.hour_at > latest.as_of - interval '7 days'
    group by source_hour.source_name
)

select
    block.source_name,
    block.source,
    latest.as_of,
    read_well.last_run_at,
    read_well.read_until_at,
    read_well.newest_published_at,
    coalesce(read_well.last_status, 'never') as last_status,
    date_diff('minute', read_well.read_until_at, latest.as_of) as behind_minutes,
    coalesce(
        latest.as_of > read_well.last_ok_at + to_minutes(block.silent_after_minutes),
        true
    ) as is_silent,
    coalesce(read_well.accepted_count, 0)::bigint as accepted_count,
    coalesce(read_well.rejected_count, 0)::bigint as rejected_count,
    coalesce(unread.gap_minutes, 0)::bigint as gap_minutes,
    coalesce(read_well.capped_count, 0) as capped_count
from source_block as block
cross join latest
left join read_well on block.source_name = read_well.source_name
left join unread on block.source_name = unread.source_name;

comment on view source_coverage is
'One row per source: how far it was read, told at the last run of any source. No data is not calm.';
comment on column source_coverage.as_of is 'The last run of any source (UTC).';
comment on column source_coverage.last_status is 'ok, waiting, failed, missing, or never.';
comment on column source_coverage.behind_minutes is 'From what was read to as_of.';
comment on column source_coverage.is_silent is 'No reading that worked for longer than allowed.';
comment on column source_coverage.accepted_count is 'Mentions in the day before as_of.';
comment on column source_coverage.gap_minutes is 'Time of the last 7 days that is still unread.';
comment on column source_coverage.capped_count is 'Runs that a limit cut short in the last 7 days.';
comment on column source_coverage.source_name is 'Name of the source block in vigie.toml.';
comment on column source_coverage.source is 'Kind of source: mastodon, feed, …';
comment on column source_coverage.last_run_at is 'When a run last read it (UTC).';
comment on column source_coverage.read_until_at is 'Up to when it has been read well (UTC).';
comment on column source_coverage.newest_published_at is 'Its newest message (UTC).';
comment on column source_coverage.rejected_count is 'Payloads refused in the day before as_of.';
