-- Purpose: end an incident whose row this version of Vigie cannot read.
-- Grain: the one row of $incident_id; one that has ended stays as it is. Reads: incident.
-- Written by: pipelines/incident_rows.py.
update incident
set
    state = 'resolved',
    resolved_at = $as_of
where incident_id = $incident_id and resolved_at is null;
