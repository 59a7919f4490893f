-- Purpose: the keys of the slice that the warehouse does not know and may keep.
-- Grain: one row per new mention. Reads: incoming_mention, staged_key, known_key, tombstone,
--   objection. Read by: writes/insert_mention.
-- Caveat: an erased post and a post of someone who objected never come back; they are counted. A
--   row without a subject is what has become of a post that named one: it is news of a post that
--   is held, or that this slice brings, and nothing where neither is.
create or replace temp table new_key as
select
    staged_key.*,
    incoming.published_at
from staged_key
inner join incoming_mention as incoming on staged_key.row_number = incoming.row_number
anti join known_key on staged_key.mention_id = known_key.mention_id
anti join tombstone on staged_key.mention_id = tombstone.mention_id
anti join objection on incoming.author_key = objection.author_key
where staged_key.has_subject;
