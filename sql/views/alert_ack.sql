-- Purpose: every acknowledgement of an alert, and from when on it counts for nothing.
-- Grain: one row per acknowledgement. Reads: incident_event.
-- Read by: views/alert_log, queries/digest_incidents, crisis_incident.
-- Units: times are UTC; `void_at` is null while it counts.
-- Caveat: not published. Who calls an alert false has it in hand by that: such an acknowledgement
--   counts until the next time that the alert is said not to be false, not again when it is
--   called false once more, which has an acknowledgement of its own.
create or replace view alert_ack as
with said as (
    select
        incident_event.incident_id,
        incident_event.changed_at,
        incident_event.state_to,
        bool_or(incident_event.state_to = 'false') over (
            partition by
                incident_event.incident_id, incident_event.changed_at, incident_event.actor
        ) as is_with_false
    from incident_event
)

select
    said.incident_id,
    said.changed_at as acked_at,
    min(taken_back.changed_at) as void_at
from said
left join incident_event as taken_back
    on
        said.is_with_false
        and said.incident_id = taken_back.incident_id
        and said.changed_at < taken_back.changed_at
        and taken_back.state_to = 'not_false'
where said.state_to = 'acked'
group by said.incident_id, said.changed_at, said.is_with_false;

comment on view alert_ack is
'One row per acknowledgement of an alert, with the moment from which it counts no more. Internal.';
