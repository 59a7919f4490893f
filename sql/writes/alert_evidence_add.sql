-- Purpose: what a letter about incidents rests on, as it was when the letter was made.
-- Grain: one row per incident and letter; nothing when it is there already.
-- Reads: `incoming`. Writes: alert_evidence. Run by: pipelines/alert_record.py.
merge into alert_evidence
using incoming
    on
        alert_evidence.incident_id = incoming.incident_id
        and alert_evidence.sequence = incoming.sequence
when not matched then insert (
    incident_id, sequence, made_at, kind, reason, rule_sha256, alert, curve, picture, messages,
    networks, tone
) values (
    incoming.incident_id, incoming.sequence, incoming.made_at, incoming.kind, incoming.reason,
    incoming.rule_sha256, incoming.alert, incoming.curve, incoming.picture, incoming.messages,
    incoming.networks, incoming.tone
);
