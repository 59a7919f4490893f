-- Purpose: what the detector of bursts learns once a day, and questions of one kind by the hour.
-- Read by: pipelines/learnt.py; written by: sql/writes/burst_day_add.sql.

-- One row per watched series and UTC day: numbers only (pipelines/learnt.py packs them). `stamp`
-- says what of the days before was known then: where that has changed, the series is learnt anew.
create table burst_day (
    day_on date not null,
    subject_id varchar not null,
    scope varchar not null,
    stamp varchar not null,
    kept blob not null
);
