-- Purpose: the incidents as they are after an evaluation.
-- Grain: one row per incident_id. Reads: incident, and `incoming`, the incidents.
-- Run by: pipelines/incident_rows.py.
-- Caveat: `evidence` is JSON: what the rule last said, when it was asked, what people were told.
merge into incident
using incoming
    on incident.incident_id = incoming.incident_id
when matched then
    update
        set
            rule_version = incoming.rule_version,
            severity = incoming.severity,
            state = incoming.state,
            last_fired_at = incoming.last_fired_at,
            resolved_at = incoming.resolved_at,
            peak_observed = incoming.peak_observed,
            peak_score = incoming.peak_score,
            evidence = incoming.evidence
when not matched then insert (
    incident_id, fingerprint, rule_id, rule_version, subject_id, scope, severity, state,
    opened_at, last_fired_at, resolved_at, peak_observed, peak_score, evidence
) values (
    incoming.incident_id, incoming.fingerprint, incoming.rule_id, incoming.rule_version,
    incoming.subject_id, incoming.scope, incoming.severity, incoming.state, incoming.opened_at,
    incoming.last_fired_at, incoming.resolved_at, incoming.peak_observed, incoming.peak_score,
    incoming.evidence
);
