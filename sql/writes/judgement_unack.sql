-- Purpose: nobody has the incident in hand any more, where it was in hand by being called false.
-- Grain: the one row of $incident_id, or none; what was deleted comes back.
-- Reads: incident_ack, alert_label. Run by: pipelines/alert_actions.py.
delete from incident_ack
where
    incident_ack.incident_id = $incident_id
    and exists (
        select 1
        from alert_label
        where
            alert_label.incident_id = incident_ack.incident_id
            and alert_label.verdict = 'false_alarm'
            and alert_label.labelled_at = incident_ack.acked_at
            and alert_label.actor = incident_ack.acked_by
    )
returning incident_ack.incident_id;
