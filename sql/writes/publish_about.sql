-- Purpose: whose figures the analysts' file holds, of when, and by which contract.
-- Grain: one row. Reads: institution. Run by: pipelines/publish.py. Units: `made_at` is UTC.
create table beside.about as
select
    institution.*,
    cast($made_at as timestamptz) as made_at,
    cast($version as varchar) as contract
from institution;

comment on table beside.about is 'One row: the institution, and when this file was made (UTC).';
comment on column beside.about.institution_id is 'Its id in vigie.toml.';
comment on column beside.about.name is 'Its name.';
comment on column beside.about.time_zone is 'Where its days begin.';
comment on column beside.about.locale is 'fr or en.';
comment on column beside.about.made_at is 'When this file was made (UTC).';
comment on column beside.about.contract is
'Version of this contract: the number before the point rises when a column goes or changes.';
