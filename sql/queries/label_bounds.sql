-- Question: where did the last draw end, and up to when is everything stored?
-- Purpose: the frame of the next draw. Grain: one row. Reads: label_batch, mention.
-- Read by: pipelines/labelling.py. Units: moments of first sight, UTC; null where there is none.
select
    (select max(label_batch.until_at) from label_batch) as drawn_until_at,
    (
        select max(mention.first_seen_at)
        from mention
        where mention.first_seen_at <= $as_of
    ) as stored_until_at;
