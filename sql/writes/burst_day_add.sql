-- Purpose: what was learnt of series at the beginning of a UTC day; earlier days go.
-- Grain: one row per series. Writes: burst_day. Reads: learnt_series (made by pipelines/learnt.py).
delete from burst_day
where
    day_on < $day_on
    or (
        day_on = $day_on
        and (subject_id, scope) in (
            select
                learnt_series.subject_id,
                learnt_series.scope
            from learnt_series
        )
    );

insert into burst_day
select
    $day_on as day_on,
    learnt_series.subject_id,
    learnt_series.scope,
    learnt_series.stamp,
    learnt_series.kept
from learnt_series;
