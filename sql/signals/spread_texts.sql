-- Purpose: the texts that may be one claim, or one call, passed on: what is compared for copies.
-- Grain: one row per distinct text of the longest window before $as_of, those with most copies
--   first, then the newest; at most $most.
-- Reads: mention_scored. Read by: pipelines/spreads.py.
-- Units: `mention_count` is mentions of exactly this text; `is_claim` and `is_call` what the models
--   say of it.
-- Caveat: a text that no model takes for a claim or a call is looked at once it has been repeated.
with said as (
    select
        text_hash,
        text,
        published_at,
        list_contains(acts, 'claim') as is_claim,
        list_contains(acts, 'gather') as is_call
    from mention_scored
    where
        published_at >= $as_of - to_minutes($minutes)
        and published_at < $as_of
        and not is_own
        and text <> ''
)

select
    text_hash,
    any_value(text) as text,
    count(*) as mention_count,
    coalesce(bool_or(is_claim), false) as is_claim,
    coalesce(bool_or(is_call), false) as is_call
from said
group by text_hash
having is_claim or is_call or mention_count >= 2
order by mention_count desc, max(published_at) desc, text_hash asc
limit $most;
