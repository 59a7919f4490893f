-- Question: who decided what about alerts, and why?
-- Purpose: acknowledgements, silences and judgements of thirty days, by rule.
-- Grain: one row per rule and decision. Reads: alert_change, about. Read by: analysts.
-- Units: counts; times are UTC. Caveat: what rules did by themselves is left out. Names of agents
--   stand in alert_change, not here; the last reason may name one.
select
    alert_change.rule_id,
    alert_change.state_to as decision,
    count(*) as decision_count,
    count(distinct alert_change.incident_id) as alert_count,
    count(distinct alert_change.actor) as agent_count,
    max(alert_change.changed_at) as last_at,
    arg_max(
        alert_change.reason, row(alert_change.changed_at, alert_change.incident_id)
    ) as last_reason
from alert_change
cross join about
where
    alert_change.changed_at >= about.made_at - interval '30 days'
    and alert_change.actor not in ('rule', 'vigie.toml')
group by alert_change.rule_id, alert_change.state_to
order by decision_count desc, alert_change.rule_id asc, decision asc;
