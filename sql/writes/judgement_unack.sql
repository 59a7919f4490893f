-- Purpose: nobody has the incidents in hand any more that were in hand by being called false.
-- Grain: the rows of $incident_ids that were; since when each was comes back.
-- Reads: incident_ack, alert_label. Run by: pipelines/alert_actions.py.
delete from incident_ack
where
    list_contains(cast($incident_ids as varchar[]), incident_ack.incident_id)
    and exists (
        select 1
        from alert_label
        where
            alert_label.incident_id = incident_ack.incident_id
            and alert_label.verdict = 'false_alarm'
            and alert_label.labelled_at = incident_ack.acked_at
            and alert_label.actor = incident_ack.acked_by
    )
returning incident_ack.acked_at;
