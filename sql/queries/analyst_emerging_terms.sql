-- Question: which words are suddenly said?
-- Purpose: words of the last seven days that were seldom said in the 21 days before.
-- Grain: one row per word. Reads: mention_public, about. Read by: analysts.
-- Units: counts of distinct texts; `score` is the log-likelihood ratio (T. Dunning, Computational
--   Linguistics 19, 1993, p. 61), 10.8 is one chance in a thousand.
-- Caveat: copies count once. Of many messages a part is read, at most some 50,000 of each span,
--   chosen by the hash of the text. Words of fewer than ten texts are left out: they may name one
--   person. A name can still stand here: do not publish the list as it is.
with thresholds as (
    select
        10 as least_texts,
        50000 as most_texts,
        4 as least_letters
),

spans as (
    select
        mention_public.text_hash,
        min(mention_public.text) as text,
        max(mention_public.published_at) >= any_value(about.made_at) - interval '7 days' as is_new
    from mention_public
    cross join about
    where
        mention_public.published_at >= about.made_at - interval '28 days'
        and not mention_public.is_own
        and mention_public.text != ''
    group by mention_public.text_hash
),

sized as (
    select
        spans.*,
        count(*) over (partition by spans.is_new) as span_count
    from spans
),

chosen as (
    select
        sized.text,
        sized.is_new,
        count(*) over (partition by sized.is_new) as text_count
    from sized
    cross join thresholds
    where
        hash(sized.text_hash)
        % greatest(1, ceil(sized.span_count / thresholds.most_texts)::bigint) = 0
),

said as (
    select
        chosen.is_new,
        chosen.text_count,
        unnest(list_distinct(regexp_extract_all(lower(chosen.text), '\p{L}[\p{L}''’-]+'))) as word
    from chosen
),

totals as (
    select
        coalesce(max(chosen.text_count) filter (where chosen.is_new), 0) as new_total,
        coalesce(max(chosen.text_count) filter (where not chosen.is_new), 0) as old_total
    from chosen
),

counted as (
    select
        said.word,
        count(*) filter (where said.is_new) as new_count,
        count(*) filter (where not said.is_new) as old_count
    from said
    cross join thresholds
    where length(said.word) >= thresholds.least_letters
    group by said.word
    having count(*) filter (where said.is_new) >= any_value(thresholds.least_texts)
),

expected as (
    select
        counted.*,
        totals.new_total,
        totals.old_total,
        (counted.new_count + counted.old_count) * totals.new_total
        / (totals.new_total + totals.old_total) as new_expected,
        (counted.new_count + counted.old_count) * totals.old_total
        / (totals.new_total + totals.old_total) as old_expected
    from counted
    cross join totals
)

select
    expected.word,
    expected.new_count,
    expected.old_count,
    round(expected.new_count / expected.new_total, 4) as new_share,
    round(expected.old_count / nullif(expected.old_total, 0), 4) as old_share,
    round(2 * (
        expected.new_count * ln(expected.new_count / expected.new_expected)
        + if(
            expected.old_count = 0, 0,
            expected.old_count * ln(expected.old_count / expected.old_expected)
        )
    ), 1) as score
from expected
where expected.new_count > expected.new_expected
order by score desc, expected.word asc
limit 50;
