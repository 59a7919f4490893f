-- Purpose: which troubles have had an incident at or near $at, and are not told again as late.
-- Grain: one row per fingerprint. Reads: incident. Read by: pipelines/late.py.
-- Caveat: one that opened at $as_of itself does not count, so that the same moment says the same.
select distinct incident.fingerprint
from incident
where
    incident.opened_at < $as_of
    and coalesce(incident.resolved_at, $as_of) >= $at - interval 6 hour;
