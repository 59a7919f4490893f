-- Purpose: who has had a letter of its own about which incident since $since, and when last.
-- Grain: one row per incident and mail address of a person. Reads: outbox, outbox_incident.
-- Read by: pipelines/warning_round.py.
with letter as (
    select
        outbox_key,
        incident_id,
        created_at,
        readers
    from outbox
    where created_at > $since and created_at <= $as_of and incident_id is not null
),

told as (
    select
        incident_id,
        created_at,
        readers
    from letter
    union all
    select
        outbox_incident.incident_id,
        letter.created_at,
        letter.readers
    from letter
    inner join outbox_incident on letter.outbox_key = outbox_incident.outbox_key
),

read_by as (
    select
        incident_id,
        created_at,
        unnest(readers) as reader
    from told
)

select
    incident_id,
    reader,
    max(created_at) as told_at
from read_by
group by incident_id, reader;
