-- Purpose: drop what was counted, told and covered too long ago.
-- Grain: one row of each table. Writes: daily, hourly, frozen_day, digest, intake, gap,
--   source_hour, canary_heard, warning_round, incident_event, incident, alert_evidence,
--   incident_ack, silence, alert_label, label, label_task, label_batch, outbox_incident, outbox,
--   link_use, attention.
-- Run by: pipelines/retention.py.
-- Units: `$count_before` (UTC) and `$count_day` (its day) are the first moment and day to keep.
-- Caveat: receipts, tombstones and objections stay: they prove, or block a return.
delete from hourly
where hourly.hour_at < cast($count_before as timestamptz);
delete from frozen_day
where frozen_day.day_on < cast($count_day as date);
delete from digest
where digest.day_on < cast($count_day as date);
delete from intake
where intake.finished_at < cast($count_before as timestamptz);
delete from gap
where gap.until_at < cast($count_before as timestamptz);
delete from source_hour
where source_hour.hour_at < cast($count_before as timestamptz);
delete from canary_heard
where canary_heard.heard_at < cast($count_before as timestamptz);
delete from warning_round
where warning_round.made_at < cast($count_before as timestamptz);
delete from outbox_incident
where outbox_incident.told_at < cast($count_before as timestamptz);
delete from outbox
where outbox.created_at < cast($count_before as timestamptz);
delete from silence
where silence.since_at < cast($count_before as timestamptz);
delete from link_use
where link_use.used_at < cast($count_before as timestamptz);
delete from alert_label
where alert_label.labelled_at < cast($count_before as timestamptz);
delete from label
where label.labelled_at < cast($count_before as timestamptz);
delete from label_task
where label_task.drawn_at < cast($count_before as timestamptz);
delete from label_batch
where label_batch.drawn_at < cast($count_before as timestamptz);
delete from incident_ack
where exists (
    select 1
    from incident
    where
        incident.incident_id = incident_ack.incident_id
        and incident.opened_at < cast($count_before as timestamptz)
);
delete from incident_event
where incident_event.changed_at < cast($count_before as timestamptz);
delete from alert_evidence
where alert_evidence.made_at < cast($count_before as timestamptz);
delete from incident
where incident.opened_at < cast($count_before as timestamptz);
delete from attention
where attention.measured_at < cast($count_before as timestamptz);
delete from daily
where daily.day_on < cast($count_day as date);
