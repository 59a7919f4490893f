-- Purpose: every alert there was: what fired, for how long, who was quick to answer.
-- Published: yes.
-- Grain: one row per incident. Reads: incident, incident_event, outbox, outbox_incident.
-- Units: times are UTC; `ack_minutes` from the first mail to the first acknowledgement.
-- Caveat: says whether somebody acknowledged, never who. Figures of the burst stand in the mail
--   and in the digest, where small ones are held back.
create or replace view alert_log as
with letter as (
    select
        outbox.incident_id,
        outbox.sent_at
    from outbox
    where outbox.incident_id is not null
    union all
    select
        outbox_incident.incident_id,
        outbox.sent_at
    from outbox_incident
    inner join outbox on outbox_incident.outbox_key = outbox.outbox_key
),

told as (
    select
        letter.incident_id,
        min(letter.sent_at) as first_mail_at,
        count(letter.sent_at) as mail_count
    from letter
    group by letter.incident_id
),

acked as (
    select
        incident_event.incident_id,
        min(incident_event.changed_at) as acked_at
    from incident_event
    where incident_event.state_to = 'acked'
    group by incident_event.incident_id
)

select
    incident.incident_id,
    incident.rule_id,
    incident.rule_version,
    incident.subject_id,
    incident.scope,
    incident.severity,
    incident.state,
    incident.opened_at,
    incident.last_fired_at,
    incident.resolved_at,
    told.first_mail_at,
    acked.acked_at,
    date_diff('minute', incident.opened_at, incident.resolved_at) as open_minutes,
    coalesce(told.mail_count, 0) as mail_count,
    date_diff('minute', told.first_mail_at, acked.acked_at) as ack_minutes
from incident
left join told on incident.incident_id = told.incident_id
left join acked on incident.incident_id = acked.incident_id;

comment on view alert_log is 'One row per incident, from its opening to its end; names nobody.';
comment on column alert_log.scope is 'all, a topic id, or the name of a source.';
comment on column alert_log.ack_minutes is 'From the first mail to the first acknowledgement.';
