-- Question: how much is each topic talked about over two weeks, and in what tone?
-- Purpose: the board's pages of topics. Grain: one row per topic and local day that has one.
-- Reads: daily_topic (published). Read by: pipelines/board/topics.py.
-- Parameters: $subject_id; $since and $until (local days, both included); $topic_id, or null.
-- Caveat: a day of fewer than ten pseudonyms is held back: its figures are null.
select
    topic_id,
    day_on,
    is_suppressed,
    mention_count,
    scored_count,
    negative_count
from daily_topic
where
    subject_id = $subject_id
    and day_on >= $since
    and day_on <= $until
    and topic_id = coalesce($topic_id, topic_id)
order by topic_id, day_on;
