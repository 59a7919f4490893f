-- Purpose: how many mails about alerts each person has had in the hour before $as_of.
-- Grain: one row per recipient. Reads: outbox. Read by: pipelines/surroundings.py.
select
    recipient,
    count(*) as mail_count
from outbox
where incident_id is not null and created_at > $as_of - interval 1 hour and created_at <= $as_of
group by recipient
order by recipient;
