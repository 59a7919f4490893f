-- Purpose: drop old refusals. Grain: one row per refusal. Writes: quarantine.
delete from quarantine
where quarantine.rejected_at <= cast($quarantine_before as timestamptz);
