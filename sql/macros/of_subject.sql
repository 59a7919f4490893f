-- Purpose: the messages that name a watched subject.
-- Use: from of_subject('ville'). Reads: mention_public.
-- Units: the id of a subject in vigie.toml. Caveat: a message names several subjects, so what two
--   of them keep overlaps.
create or replace macro of_subject(id) as table  -- noqa: disable=RF02,RF03
    select mention_public.*
    from mention_public
    where list_contains(mention_public.subject_ids, id);
