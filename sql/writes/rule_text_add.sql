-- Purpose: the text of a rule that has told of an alert, once for each version of its file.
-- Grain: one row per SHA-256. Writes: rule_text. Run by: pipelines/alert_record.py.
merge into rule_text
using (select 1 as one) as fresh
    on rule_text.rule_sha256 = $rule_sha256
when not matched then insert (rule_sha256, rule_id, rule_version, rule_sql, first_used_at) values (
    $rule_sha256, $rule_id, $rule_version, $rule_sql, $made_at
);
