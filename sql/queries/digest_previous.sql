-- Purpose: the risk level of the digest of an earlier day.
-- Grain: one row, or none.
-- Reads: digest. Read by: pipelines/digest.py.
-- Parameters: $day.
select
    day_on,
    risk_level
from digest
where day_on = $day
order by made_at desc, locale asc
limit 1;
