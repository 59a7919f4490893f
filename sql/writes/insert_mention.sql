-- Purpose: new mentions in.
-- Grain: one row per mention. Reads: incoming_mention, new_key. Writes: mention, known_key,
--   touched_moment. Caveat: `new_key` holds only what this transaction has looked for by key and
--   not found, so a plain insert does what a merge would, at a fifth of its cost (a million rows).
-- (noqa: the linter does not know `by name`, which keeps a column added later in its place.)
insert into mention by name  -- noqa: PRS
select
    incoming.* exclude (incoming.row_number)
    replace (
        new_key.subject_ids as subject_ids, new_key.query_versions as query_versions
    )
from incoming_mention as incoming
inner join new_key on incoming.row_number = new_key.row_number;

insert into known_key
select
    new_key.mention_id,
    new_key.published_at
from new_key;

insert into touched_moment
select new_key.published_at from new_key;
