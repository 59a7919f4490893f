-- Question: when is the last thing that is stored, and up to when was anything read?
-- Purpose: the moment from which the board's clock goes on (`vigie serve --at-end`) over data that
--   has ended: a demo, a copy. Grain: one row, null where nothing is stored, or read.
-- Reads: intake, mention, incident_event, digest, label_batch, label.
-- Read by: pipelines/board/visit.py. Units: UTC. Caveat: receipts are left out: somebody may be
--   erased from a copy at any time, and its pages stay where they were.
select
    max(moment) as ended_at,
    (select max(intake.until_at) from intake) as read_until_at
from (
    select max(until_at) as moment from intake
    union all
    select max(first_seen_at) as moment from mention
    union all
    select max(changed_at) as moment from incident_event
    union all
    select max(made_at) as moment from digest
    union all
    select max(drawn_at) as moment from label_batch
    union all
    select max(labelled_at) as moment from label
) as stored;
