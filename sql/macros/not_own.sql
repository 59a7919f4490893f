-- Purpose: what others said: the institution's own posts count in no tone and no volume.
-- Use: from not_own(). Reads: mention_public.
-- Units: those of mention_public. Caveat: a declared relay of the institution is another.
create or replace macro not_own() as table  -- noqa: disable=RF02,RF03
    select mention_public.*
    from mention_public
    where not mention_public.is_own;
