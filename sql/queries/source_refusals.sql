-- Purpose: what each source refused in the last day, why, and the last case of it.
-- Grain: one row per source and reason. Reads: quarantine, intake. Read by: `vigie sources`.
-- Units: counts of refused items in the day before the last run of any source.
-- Caveat: `detail` is our own words, where to look; never what the item said.
with latest as (
    select max(intake.finished_at) as as_of from intake
)

select
    quarantine.source_name,
    quarantine.reason,
    count(*) as refused_count,
    arg_max(quarantine.detail, (quarantine.rejected_at, quarantine.detail)) as detail
from quarantine
cross join latest
where quarantine.rejected_at > latest.as_of - interval '1 day'
group by quarantine.source_name, quarantine.reason
order by quarantine.source_name asc, refused_count desc, quarantine.reason asc;
