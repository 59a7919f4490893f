-- Purpose: the judgements of alerts that stand: the last that was said, unless it was taken back.
-- Grain: one row per alert, or message in it, and verdict that stands.
-- Reads: alert_label, whose rows are only ever added; `not_` and a verdict takes that verdict back.
-- Read by: queries/alert_judgements, alert_quality, label_reported. Units: times are UTC.
-- Caveat: not published: it names messages and who judged them.
create or replace view alert_judgement as
with last_said as (
    select
        alert_label.incident_id,
        alert_label.mention_id,
        alert_label.verdict,
        alert_label.better,
        alert_label.note,
        alert_label.actor,
        alert_label.labelled_at
    from alert_label
    qualify row_number() over (
        partition by
            alert_label.incident_id,
            alert_label.mention_id,
            regexp_replace(alert_label.verdict, '^not_', '')
        order by alert_label.labelled_at desc, alert_label.verdict desc, alert_label.label_id asc
    ) = 1
)

select
    last_said.incident_id,
    last_said.mention_id,
    last_said.verdict,
    last_said.better,
    last_said.note,
    last_said.actor,
    last_said.labelled_at
from last_said
where not starts_with(last_said.verdict, 'not_');

comment on view alert_judgement is
'One row per judgement of an alert, or of a message in it, that stands. Internal.';
