-- Purpose: nobody has an incident in hand any more; the log keeps who had.
-- Grain: the one row of $incident_id. Reads: incident_ack. Written by: pipelines/notify.py.
delete from incident_ack
where incident_ack.incident_id = $incident_id;
