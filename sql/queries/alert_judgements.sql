-- Question: what is an alert judged to be, as it stands?
-- Purpose: what may be taken back, and what a new judgement must not contradict.
-- Grain: one row per judgement that stands, of the alert first, then of messages in it.
-- Reads: alert_judgement. Read by: pipelines/alert_actions.py. Parameters: $incident_id.
select
    verdict,
    mention_id,
    better,
    actor,
    labelled_at
from alert_judgement
where incident_id = $incident_id
order by mention_id is not null, labelled_at, verdict, mention_id;
