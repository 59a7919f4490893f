-- Purpose: nobody has these incidents in hand any more; the log keeps who had.
-- Grain: the rows of $incident_ids. Reads: incident_ack. Run by: pipelines/incident_rows.py.
delete from incident_ack
where list_contains(cast($incident_ids as varchar[]), incident_ack.incident_id);
