-- Purpose: note that a round of the warnings has been made, so that it is made once.
-- Grain: one row per slot. Writes: warning_round. Run by: pipelines/warning_round.py.
insert into warning_round (slot_at, made_at, warning_count, letter_count)
values ($slot_at, $as_of, $warning_count, $letter_count);
