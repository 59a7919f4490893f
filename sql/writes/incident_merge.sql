-- Purpose: an incident as it is after an evaluation.
-- Grain: one row per incident_id. Reads: incident. Written by: pipelines/notify.py.
-- Caveat: `evidence` is JSON: what the rule last said, when it was asked, what people were told.
merge into incident
using (select 1 as one) as fresh
    on incident.incident_id = $incident_id
when matched then
    update
        set
            rule_version = $rule_version,
            severity = $severity,
            state = $state,
            last_fired_at = $last_fired_at,
            resolved_at = $resolved_at,
            peak_observed = $peak_observed,
            peak_score = $peak_score,
            evidence = $evidence
when not matched then insert (
    incident_id, fingerprint, rule_id, rule_version, subject_id, scope, severity, state,
    opened_at, last_fired_at, resolved_at, peak_observed, peak_score, evidence
) values (
    $incident_id, $fingerprint, $rule_id, $rule_version, $subject_id, $scope, $severity, $state,
    $opened_at, $last_fired_at, $resolved_at, $peak_observed, $peak_score, $evidence
);
