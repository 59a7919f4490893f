-- Question: what do the messages of a replay say?
-- Purpose: the messages quoted in a backtest's page. Grain: one row per mention of $keys that may
--   still be shown. Reads: mention. Read by: pipelines/backtest_mentions.py.
select
    mention_id,
    text,
    url,
    network,
    published_at
from mention
where list_contains($keys, mention_id) and deleted_at is null and not optout and text <> '';
