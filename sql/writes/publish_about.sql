-- Purpose: whose figures the analysts' file holds, and of when.
-- Grain: one row. Reads: institution. Run by: pipelines/publish.py. Units: `made_at` is UTC.
create table beside.about as
select
    institution.*,
    cast($made_at as timestamptz) as made_at
from institution;

comment on table beside.about is 'One row: the institution, and when this file was made (UTC).';
