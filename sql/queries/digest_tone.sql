-- Purpose: the tone of each day, every text counted once however often it was copied.
-- Grain: one row per local day with any mention.
-- Reads: mention_scored. Read by: pipelines/digest.py, analysts.
-- Parameters: $since, $until (UTC, half open).
-- Units: counts of distinct texts. `undetermined_count`: the model abstains; `unscored_count`:
--   no model has seen the text yet. Neither is part of a share of tone. `sensitive_count`: any
--   topic of the taxonomy; `crisis_count`: civil security (T20).
-- Caveat: copies with a changed word are several texts here; one text copied word for word is one,
--   so that a campaign of copies does not make an interval look surer than it is.
with texts as (
    select
        day_on,
        text_hash,
        max(sentiment) as sentiment,
        coalesce(bool_or(len(topics) > 0), false) as is_sensitive,
        coalesce(bool_or(list_contains(topics, 'T20')), false) as is_crisis
    from mention_scored
    where published_at >= $since and published_at < $until and not is_own
    group by day_on, text_hash
)

select
    day_on,
    count(*) as text_count,
    count(*) filter (where sentiment = 'negative') as negative_count,
    count(*) filter (where sentiment = 'neutral') as neutral_count,
    count(*) filter (where sentiment = 'positive') as positive_count,
    count(*) filter (where sentiment = 'undetermined') as undetermined_count,
    count(*) filter (where sentiment is null) as unscored_count,
    count(*) filter (where is_sensitive) as sensitive_count,
    count(*) filter (where is_crisis) as crisis_count
from texts
group by day_on
order by day_on;
