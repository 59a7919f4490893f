-- Purpose: for whom each message is, whatever channel carries it, so that a person's can be
--   counted; and which rounds of the warnings have been made, so that each is made once.

-- The mail addresses of those for whom the message is; null in a row of an older version.
alter table outbox add column readers varchar[];

-- One row per round of the warnings (08:00 and 18:00 where vigie.toml says nothing else), whether
-- or not there was anything to tell.
create table warning_round (
    slot_at timestamptz not null,
    made_at timestamptz not null,
    warning_count integer not null,
    letter_count integer not null
);
