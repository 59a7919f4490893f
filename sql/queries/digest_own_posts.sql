-- Purpose: what the institution itself posted, and the reactions each post has had so far.
-- Grain: one row per own post of the four weeks.
-- Reads: mention_scored. Read by: pipelines/digest.py, analysts.
-- Parameters: $before, $until (UTC, half open).
-- Units: counts as last read; null where the source offers none. A recent post has had less time.
select
    mention_id,
    url,
    network,
    published_at,
    reply_count,
    share_count,
    like_count,
    view_count,
    left(text, 2000) as text
from mention_scored
where published_at >= $before and published_at < $until and is_own
order by published_at desc, mention_id asc;
