-- Purpose: what a letter about an incident rests on, as it was when the letter was made.
-- Grain: one row per incident and letter; nothing when it is there already. Writes: alert_evidence.
-- Run by: pipelines/alert_record.py.
merge into alert_evidence
using (select 1 as one) as fresh
    on alert_evidence.incident_id = $incident_id and alert_evidence.sequence = $sequence
when not matched then insert (
    incident_id, sequence, made_at, kind, reason, rule_sha256, alert, curve, picture, messages,
    networks, tone
) values (
    $incident_id, $sequence, $made_at, $kind, $reason, $rule_sha256, $alert, $curve, $picture,
    $messages, $networks, $tone
);
