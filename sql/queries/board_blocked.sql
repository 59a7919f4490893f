-- Question: how many posts and pseudonyms may not come back?
-- Purpose: the board's page for the data-protection officer. Grain: one row.
-- Reads: tombstone, objection. Read by: pipelines/board/privacy.py. Units: counts.
select
    (select count(*) from tombstone) as tombstone_count,
    (select count(*) from objection) as objection_count;
