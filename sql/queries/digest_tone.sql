-- Purpose: the tone of each day, every text counted once however often it was copied.
-- Grain: one row per local day with any mention.
-- Reads: mention_scored, scorer. Read by: pipelines/digest.py, analysts.
-- Parameters: $since, $until (UTC, half open).
-- Units: counts of distinct texts. `undetermined_count`: the model abstains; `unscored_count`:
--   no model has seen the text yet. `sensitive_count`: any topic of the taxonomy; `crisis_count`:
--   civil security (T20). `readings`, for models/prevalence.py, is a list by weights of the tone
--   model and language: `text_count` texts with the sums of their probabilities, of the squares
--   and of the products; p_neutral is what is left of 1. A text without probabilities
--   (`is_counted`) has 1 for its label, and is in no reading when that is undetermined.
-- Caveat: copies with a changed word are several texts here; one text copied word for word is one,
--   so that a campaign of copies does not make an interval look surer than it is. Sums are of
--   decimals, so that no order of rows changes them.
with texts as (
    select
        mention_scored.day_on,
        mention_scored.text_hash,
        max(mention_scored.sentiment) as sentiment,
        coalesce(bool_or(len(mention_scored.topics) > 0), false) as is_sensitive,
        coalesce(bool_or(list_contains(mention_scored.topics, 'T20')), false) as is_crisis,
        arg_min(
            {
                'weights': scorer.sentiment_weights_sha256,
                'lang': mention_scored.lang,
                'p_negative': try_cast(mention_scored.p_negative as decimal(7, 6)),
                'p_positive': try_cast(mention_scored.p_positive as decimal(7, 6))
            },
            mention_scored.mention_id
        ) filter (where mention_scored.sentiment is not null) as reading
    from mention_scored
    left join scorer on mention_scored.scorer_id = scorer.scorer_id
    where
        mention_scored.published_at >= $since
        and mention_scored.published_at < $until
        and not mention_scored.is_own
    group by mention_scored.day_on, mention_scored.text_hash
),

read_texts as (
    select
        day_on,
        sentiment,
        is_sensitive,
        is_crisis,
        reading['lang'] as lang,
        reading['p_negative'] is null or reading['p_positive'] is null as is_counted,
        if(is_counted, null, reading['weights']) as weights,
        case
            when not is_counted then reading['p_negative']
            when sentiment != 'undetermined'
                then cast(sentiment = 'negative' as decimal(7, 6))
        end as p_negative,
        case
            when not is_counted then reading['p_positive']
            when sentiment != 'undetermined'
                then cast(sentiment = 'positive' as decimal(7, 6))
        end as p_positive
    from texts
),

readings as (
    select
        day_on,
        count(*) as text_count,
        count(*) filter (where sentiment = 'negative') as negative_count,
        count(*) filter (where sentiment = 'neutral') as neutral_count,
        count(*) filter (where sentiment = 'positive') as positive_count,
        count(*) filter (where sentiment = 'undetermined') as undetermined_count,
        count(*) filter (where sentiment is null) as unscored_count,
        count(*) filter (where is_sensitive) as sensitive_count,
        count(*) filter (where is_crisis) as crisis_count,
        {
            'weights': weights,
            'lang': lang,
            'is_counted': is_counted,
            'text_count': count(p_negative),
            'negative_sum': cast(sum(p_negative) as double),
            'positive_sum': cast(sum(p_positive) as double),
            'negative_square_sum': cast(sum(p_negative * p_negative) as double),
            'positive_square_sum': cast(sum(p_positive * p_positive) as double),
            'product_sum': cast(sum(p_negative * p_positive) as double)
        } as reading
    from read_texts
    group by day_on, weights, lang, is_counted
)

select
    day_on,
    cast(sum(text_count) as bigint) as text_count,
    cast(sum(negative_count) as bigint) as negative_count,
    cast(sum(neutral_count) as bigint) as neutral_count,
    cast(sum(positive_count) as bigint) as positive_count,
    cast(sum(undetermined_count) as bigint) as undetermined_count,
    cast(sum(unscored_count) as bigint) as unscored_count,
    cast(sum(sensitive_count) as bigint) as sensitive_count,
    cast(sum(crisis_count) as bigint) as crisis_count,
    coalesce(
        list(reading order by reading) filter (where reading['text_count'] > 0), []
    ) as readings
from readings
group by day_on
order by day_on;
