-- Question: who decided what about alerts, and why?
-- Purpose: acknowledgements, silences and judgements of thirty days, by rule.
-- Grain: one row per rule and decision. Reads: alert_change, about. Read by: analysts.
-- Units: counts; times are UTC; `taken_back_count` alerts of `alert_count` where it was taken back
--   and not said again. Caveat: what rules did by themselves is left out. Judgements of the
--   messages of one alert are not told apart: of two, the last word on either says whether the
--   alert is in `taken_back_count`. Names of agents stand in alert_change, not here; the last
--   reason may name one.
with decided as (
    select
        alert_change.*,
        starts_with(
            arg_max(
                alert_change.state_to, (alert_change.changed_at, alert_change.state_to)
            ) over (
                partition by
                    alert_change.incident_id, regexp_replace(alert_change.state_to, '^not_', '')
            ),
            'not_'
        ) as is_taken_back
    from alert_change
    where alert_change.actor not in ('rule', 'vigie.toml')
)

select
    decided.rule_id,
    decided.state_to as decision,
    count(*) as decision_count,
    count(distinct decided.incident_id) as alert_count,
    count(distinct decided.incident_id) filter (
        where decided.is_taken_back and not starts_with(decided.state_to, 'not_')
    ) as taken_back_count,
    count(distinct decided.actor) as agent_count,
    max(decided.changed_at) as last_at,
    arg_max(decided.reason, row(decided.changed_at, decided.incident_id)) as last_reason
from decided
cross join about
where decided.changed_at >= about.made_at - interval '30 days'
group by decided.rule_id, decided.state_to
order by decision_count desc, decided.rule_id asc, decision asc;
