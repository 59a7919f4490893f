-- Purpose: how much a page about what is watched is read and fought over; no mention, no person.
-- Read by: sql/views/attention_daily.sql; written by: sql/writes/merge_attention.sql.

-- One row per measure, equal to pipelines/attention.py (a test holds it). `measured_at` starts the
-- span of `span_seconds` that was measured, 0 for a moment; `value` is in the unit of `kind`.
create table attention (
    source varchar not null,
    source_name varchar not null,
    native_id varchar not null,
    subject_id varchar,
    kind varchar not null,
    about varchar not null,
    url varchar,
    measured_at timestamptz not null,
    span_seconds bigint not null,
    value double not null,
    seen_at timestamptz not null,
    run_id varchar not null
);
