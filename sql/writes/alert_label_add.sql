-- Purpose: one judgement of a person; nothing when it is there already.
-- Grain: one row per label_id. Reads: alert_label. Written by: pipelines/alert_actions.py.
merge into alert_label
using (select 1 as one) as fresh
    on alert_label.label_id = $label_id
when not matched then insert (
    label_id, incident_id, rule_id, rule_version, mention_id, verdict, better, note, actor,
    labelled_at
) values (
    $label_id, $incident_id, $rule_id, $rule_version, $mention_id, $verdict, $better, $note,
    $actor, $made_at
);
