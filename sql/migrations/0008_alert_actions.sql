-- Purpose: what people do about incidents: acknowledge, silence, judge. Every change stands in
--   `incident_event` too, with who, when and why; nothing there is ever changed or removed.

-- One row per incident that somebody has in hand. The row goes when the incident gets worse or
-- begins anew: then somebody has to take it in hand again.
create table incident_ack (
    incident_id varchar not null,
    acked_at timestamptz not null,
    acked_by varchar not null
);

-- One row per message to one recipient and incident that it tells of, where it tells of several.
create table outbox_incident (
    outbox_key varchar not null,
    incident_id varchar not null,
    told_at timestamptz not null
);

-- One row per silence: mails about one trouble (a fingerprint, so its next incidents too) are held
-- from `since_at` until `until_at`, or until a person ended it. Rules go on, and record.
create table silence (
    silence_id varchar not null,
    fingerprint varchar not null,
    incident_id varchar not null,
    since_at timestamptz not null,
    until_at timestamptz not null,
    actor varchar not null,
    reason varchar not null,
    ended_at timestamptz,
    ended_by varchar
);

-- One row per judgement of an alert, or of one message in it: what a later learning reads.
-- `verdict`: false_alarm, wrong_tone, wrong_topic; `better` is the right tone or topic where given.
create table alert_label (
    label_id varchar not null,
    incident_id varchar not null,
    rule_id varchar not null,
    rule_version varchar not null,
    mention_id varchar,
    verdict varchar not null,
    better varchar,
    note varchar not null,
    actor varchar not null,
    labelled_at timestamptz not null
);
