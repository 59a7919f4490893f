-- Question: what did each letter about an alert rest on?
-- Purpose: what each letter about an incident rested on, with the rule as it was.
-- Grain: one row per letter of $incident_id, in their order. Reads: alert_evidence, rule_text.
-- Read by: pipelines/post_mortem.py.
select
    alert_evidence.sequence,
    alert_evidence.made_at,
    alert_evidence.kind,
    alert_evidence.reason,
    alert_evidence.rule_sha256,
    alert_evidence.alert,
    alert_evidence.picture,
    alert_evidence.messages,
    alert_evidence.networks,
    alert_evidence.tone,
    rule_text.rule_id,
    rule_text.rule_version,
    rule_text.rule_sql
from alert_evidence
left join rule_text on alert_evidence.rule_sha256 = rule_text.rule_sha256
where alert_evidence.incident_id = $incident_id
order by alert_evidence.sequence;
