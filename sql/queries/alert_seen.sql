-- Question: what did the rule of an alert last see?
-- Purpose: an alert that nobody has been told of yet shows its figures. Grain: one row, none for an
--   unknown $incident_id. Reads: incident. Read by: pipelines/post_mortem.py.
-- Units: `alert` is JSON (pipelines/alert.py), null where another version wrote it; UTC.
select
    cast(evidence ->> '$.evaluated_at' as timestamptz) as evaluated_at,
    evidence -> '$.alert' as alert
from incident
where incident_id = $incident_id;
