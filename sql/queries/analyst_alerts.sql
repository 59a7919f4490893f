-- Question: how often does each rule fire, and how fast do we answer?
-- Purpose: find the rules that cry wolf, and the answers that come late. Grain: one row per rule
--   and severity. Reads: alert_log, about. Read by: analysts.
-- Units: the last thirty days; medians in minutes.
-- Caveat: an incident that nobody acknowledged is in no median of answers: see `unanswered_count`.
select
    alert_log.rule_id,
    alert_log.severity,
    count(*) as incident_count,
    count(*) filter (where alert_log.mail_count > 0) as mailed_count,
    count(*) filter (where alert_log.mail_count > 0 and alert_log.acked_at is null)
        as unanswered_count,
    median(alert_log.ack_minutes) as ack_minutes,
    median(alert_log.open_minutes) as open_minutes
from alert_log
cross join about
where alert_log.opened_at >= about.made_at - interval '30 days'
group by alert_log.rule_id, alert_log.severity
order by incident_count desc, alert_log.rule_id asc, alert_log.severity asc;
