-- Purpose: the risk level of each day of a week or a month, as its digest told it.
-- Grain: one row per local day whose digest was made.
-- Reads: digest. Read by: pipelines/digest.py.
-- Parameters: $first, $day: local dates, both included; $locale.
select
    day_on,
    risk_level,
    reason
from digest
where day_on >= $first and day_on <= $day and locale = $locale
order by day_on;
