-- Purpose: the messages of the last n days before the file was made.
-- Use: from last_days(7). Reads: mention_public, about.
-- Units: days of 24 hours, back from about.made_at. Caveat: the day on which the clocks change has
--   23 or 25 hours, so a local day may be cut by one.
create or replace macro last_days(n) as table  -- noqa: disable=RF02,RF03
    select mention_public.*
    from mention_public
    where
        mention_public.published_at
        >= (select about.made_at from about) - to_days(cast(n as integer));
