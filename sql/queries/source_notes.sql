-- Purpose: what each source last noted of a reading that went well, and when.
-- Grain: one row per source whose last reading is `ok` and that noted something in the last day.
-- Reads: intake. Read by: `vigie sources`. Units: times are UTC.
-- Caveat: the last note may be older than the last reading; `note` is our own words.
with latest as (
    select max(intake.finished_at) as as_of from intake
),

noted as (
    select
        intake.source_name,
        intake.finished_at,
        intake.note
    from intake
    cross join latest
    where
        intake.note is not null
        and intake.status = 'ok'
        and intake.finished_at > latest.as_of - interval '1 day'
        and not starts_with(intake.run_id, 'backfill')
    qualify row_number() over (
        partition by intake.source_name order by intake.finished_at desc, intake.run_id desc
    ) = 1
),

last_reading as (
    select
        intake.source_name,
        arg_max(intake.status, (intake.finished_at, intake.run_id)) as status
    from intake
    where not starts_with(intake.run_id, 'backfill')
    group by intake.source_name
)

select
    noted.source_name,
    noted.finished_at,
    noted.note
from noted
inner join last_reading on noted.source_name = last_reading.source_name
where last_reading.status = 'ok'
order by noted.source_name;
