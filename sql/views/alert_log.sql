-- Purpose: every alert there was: what fired, for how long, who was quick to answer.
-- Published: yes.
-- Grain: one row per incident. Reads: incident, alert_ack, outbox, outbox_incident.
-- Units: times are UTC; `ack_minutes` from the first mail to the first acknowledgement.
-- Caveat: says whether somebody acknowledged, never who. Figures of the burst stand in the mail
--   and in the digest, where small ones are held back. Who called an alert false had it in hand:
--   that counts for nothing once it is taken back.
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
        alert_ack.incident_id,
        min(alert_ack.acked_at) as acked_at
    from alert_ack
    where alert_ack.void_at is null
    group by alert_ack.incident_id
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
comment on column alert_log.incident_id is 'Key of the alert.';
comment on column alert_log.rule_id is 'The rule that fired: a file of sql/alerts.';
comment on column alert_log.rule_version is 'The version of that rule when it fired.';
comment on column alert_log.subject_id is 'The watched subject, as in vigie.toml.';
comment on column alert_log.severity is 'info, warning or critical.';
comment on column alert_log.state is 'firing or resolved.';
comment on column alert_log.opened_at is 'When the rule first fired (UTC).';
comment on column alert_log.last_fired_at is 'When it fired last (UTC).';
comment on column alert_log.resolved_at is 'When it was over (UTC); null while it goes on.';
comment on column alert_log.first_mail_at is
'When the first mail about it left (UTC); null where none did.';
comment on column alert_log.acked_at is
'When somebody first acknowledged it (UTC); null where nobody did.';
comment on column alert_log.open_minutes is 'From its opening to its end; null while it goes on.';
comment on column alert_log.mail_count is 'Mails sent about it.';
