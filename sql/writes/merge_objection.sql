-- Purpose: the pseudonyms of someone who objected, past and to come, so that no post of theirs
--   is stored again. Grain: one row per pseudonym. Writes: objection.
merge into objection
using (select unnest(cast($authors as varchar[])) as author_key) as incoming
    on objection.author_key = incoming.author_key
when not matched then insert (author_key, objected_at) values (incoming.author_key, $as_of);
