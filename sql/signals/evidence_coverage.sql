-- Purpose: what every source did lately: the silence of one is not calm.
-- Grain: one row per source block of the settings, sources never read too (all null).
-- Reads: source_block, intake (two days). Read by: pipelines/evidence.py.
-- Units: `read_at` is the end of the last window that was read well; `is_capped` and `has_gap` are
--   of the last six hours.
with recent as (
    select
        source_name,
        until_at,
        status,
        newest_published_at,
        is_capped and until_at > $as_of - interval 6 hour as is_capped,
        gap_until_at is not null and until_at > $as_of - interval 6 hour as has_gap
    from intake
    where until_at <= $as_of and until_at > $as_of - interval 28 day
),

summed as (
    select
        source_name,
        max(until_at) filter (where status = 'ok') as read_at,
        max(newest_published_at) as newest_at,
        arg_max(status, until_at) as last_status,
        bool_or(is_capped) as is_capped,
        bool_or(has_gap) as has_gap
    from recent
    group by source_name
)

select
    source_block.source_name,
    source_block.source,
    source_block.every_minutes,
    summed.read_at,
    summed.newest_at,
    summed.last_status,
    coalesce(summed.is_capped, false) as is_capped,
    coalesce(summed.has_gap, false) as has_gap
from source_block
left join summed on source_block.source_name = summed.source_name
order by source_block.source_name;
