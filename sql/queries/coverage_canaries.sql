-- Purpose: which canaries were heard, by which source block, and when.
-- Grain: one row per canary post and source block. Reads: canary_heard.
-- Read by: pipelines/canaries.py.
-- Units: published from `$since` to `$until` (UTC, half open), heard by `$as_of`.
-- Caveat: a canary that nobody heard has no row.
select
    canary_heard.canary_id,
    canary_heard.source_name,
    canary_heard.published_at,
    canary_heard.heard_at
from canary_heard
where
    canary_heard.published_at >= cast($since as timestamptz)
    and canary_heard.published_at < cast($until as timestamptz)
    and canary_heard.heard_at <= cast($as_of as timestamptz)
order by
    canary_heard.canary_id,
    canary_heard.source_name,
    canary_heard.published_at,
    canary_heard.heard_at;
