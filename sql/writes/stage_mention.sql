-- Purpose: the keys of one slice of a run's mentions, each once.
-- Grain: one row per key of the slice. Reads: incoming_mention (an Arrow table that
--   pipelines/load.py registers: the columns of `mention` and `row_number` of the file).
-- Read by: the other writes of a load.
-- Caveat: of rows with one key the last counts, with the subjects of all of them (the same post
--   found by two sources). Subjects are sorted, so that equal sets compare as equal;
--   so are the versions that answered.
create or replace temp table staged_key as
select
    incoming.mention_id,
    max(incoming.row_number) as row_number,
    list_sort(list_distinct(flatten(list(incoming.subject_ids)))) as subject_ids,
    list_sort(list_distinct(flatten(list(coalesce(incoming.query_versions, [])))))
        as query_versions
from incoming_mention as incoming
group by incoming.mention_id;
