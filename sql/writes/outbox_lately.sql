-- Purpose: how many letters about alerts each person has had in the hour before $as_of, whatever
--   channel carried them: one that went by mail and to a telephone is one.
-- Grain: one row per mail address of a person. Reads: outbox. Read by: pipelines/surroundings.py.
-- Caveat: of a row of an older version only the address that it went to is known.
with had as (
    select distinct
        incident_id,
        kind,
        created_at,
        unnest(coalesce(readers, [recipient])) as reader
    from outbox
    where
        incident_id is not null
        and created_at > $as_of - interval 1 hour
        and created_at <= $as_of
)

select
    reader,
    count(*) as mail_count
from had
group by reader
order by reader;
