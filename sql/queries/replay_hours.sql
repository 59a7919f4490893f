-- Question: how much was said of a subject in each hour of a replay?
-- Purpose: the curve of a backtest's page. Grain: one row per hour (UTC) with a mention, from
--   $since to $until. Reads: hourly. Read by: pipelines/backtest_report.py.
select
    hour_at,
    mention_count
from hourly
where
    hour_at >= $since
    and hour_at < $until
    and subject_id = $subject_id
    and scope = 'all'
order by hour_at;
