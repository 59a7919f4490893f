-- Purpose: the keys of one slice of a run's mentions, each once.
-- Grain: one row per key of the slice. Reads: incoming_mention (an Arrow table that
--   pipelines/load.py registers: the columns of `mention` and `row_number` of the file).
-- Read by: the other writes of a load.
-- Caveat: of rows with one key the last counts, with the subjects of all that have its text (the
--   same post found by two sources), and not those of a text that it has replaced: `has_subject`
--   says that one or the other names one. Subjects are sorted, so that equal sets compare as equal;
--   so are the versions that answered.
create or replace temp table staged_key as
with last_place as (
    select
        incoming.mention_id,
        max(incoming.row_number) as row_number
    from incoming_mention as incoming
    group by incoming.mention_id
),

last_row as (
    select
        last_place.mention_id,
        last_place.row_number,
        incoming.edited_at,
        incoming.text_hash
    from last_place
    inner join incoming_mention as incoming on last_place.row_number = incoming.row_number
)

select
    last_row.mention_id,
    last_row.row_number,
    coalesce(
        list_sort(list_distinct(flatten(list(incoming.subject_ids) filter (
            where incoming.text_hash = last_row.text_hash
            or incoming.edited_at is not distinct from last_row.edited_at
        )))),
        []
    ) as subject_ids,
    list_sort(list_distinct(flatten(list(coalesce(incoming.query_versions, [])))))
        as query_versions,
    bool_or(len(incoming.subject_ids) > 0) as has_subject
from incoming_mention as incoming
inner join last_row on incoming.mention_id = last_row.mention_id
group by last_row.mention_id, last_row.row_number;
