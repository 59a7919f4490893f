-- Purpose: what queries read of a mention, which of their versions it answered, what each was.
-- Rows stored before keep nulls: `vigie query rerun` fills `words` in, and the versions it runs.
alter table mention add column words varchar;
alter table mention add column query_versions varchar[];

-- One row per version of what a subject asks: its terms and query as they were written. A version
-- (subject id, @, hash of the meaning) comes back when the meaning does. Holds no post, no person.
create table query_version (
    version varchar not null,
    subject_id varchar not null,
    asked varchar not null,
    first_used_at timestamptz not null,
    last_used_at timestamptz not null
);
