-- Purpose: every change of an alert: when, from what, to what, by whom, and why.
-- Published: yes.
-- Grain: one row per change; rows are only ever added. Reads: incident_event, incident.
-- Units: `changed_at` is UTC. `actor` is 'rule', 'vigie.toml', or the agent who acted, as named.
-- Caveat: agents of the institution are named here, since who decided is part of the record; no
--   one who wrote a message ever is.
create or replace view alert_change as
select
    incident_event.incident_id,
    incident.rule_id,
    incident_event.changed_at,
    incident_event.state_from,
    incident_event.state_to,
    incident_event.actor,
    incident_event.reason
from incident_event
left join incident on incident_event.incident_id = incident.incident_id;

comment on view alert_change is 'One row per change of an alert, with who and why; append-only.';
comment on column alert_change.state_to is 'A state, a mark or a judgement; not_ takes one back.';
comment on column alert_change.actor is 'rule, vigie.toml, or the agent who acted.';
comment on column alert_change.incident_id is 'Key of the alert.';
comment on column alert_change.rule_id is 'The rule that fired: a file of sql/alerts.';
comment on column alert_change.changed_at is 'When it was changed (UTC).';
comment on column alert_change.state_from is 'What it was before.';
comment on column alert_change.reason is 'Why, in the words of the rule or of the agent.';
