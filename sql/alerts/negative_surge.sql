-- Rule: negative_surge
-- Version: 2
-- Severity: warning
-- Purpose: a far greater share of negative messages about a subject than usual, at any volume, or a
--   burst of them.
-- Grain: one row per subject that is above, or has not yet left, the threshold.
-- Reads: signal (made by pipelines/baseline.py). Read by: pipelines/detect.py.
-- Units: observed, expected, low and high are negative texts in the window, copies counted once;
--   shares are of the texts whose tone is known.
--   Where enough negative messages come every day, their number is judged by the detector of bursts
--   too (`negative_burst`), and the share itself, not its bound, has to stand out.
-- Caveat: the bound is Wilson's at 99 %, so a few angry messages are not enough.
-- Inhibited by: volume_surge
-- Asleep unless: scope = 'all' and (window_minutes = 60 or
--   window_minutes = 1440 and day_mean < small_place_day_mean) and mention_count >= least_mentions
--   and author_count >= least_authors and negative_count >= least_negative and negative_share_low
--   >= if(is_known, negative_share_expected + margin, least(cold_share, margin))
-- Label fr: Messages négatifs en hausse
-- Label en: Negative messages rising
-- Window fr: 60 min, ou 24 h là où l’on parle peu
-- Window en: 60 min, or 24 h where few people speak
-- Headline fr: {observed} messages négatifs en {window} (attendu {expected}), soit {share}
-- Headline en: {observed} negative messages in {window} (expected {expected}), {share} of all
-- Resolves fr: la part de messages négatifs reste sous le seuil pendant 60 minutes
-- Resolves en: the share of negative messages stays below the threshold for 60 minutes
-- Procedure fr: Lire les messages cités ; pour une plainte, répondre avec le service concerné et
--   ouvrir un ticket ; pour une affirmation à vérifier, préparer une réponse factuelle.
-- Procedure en: Read the messages below; for a complaint, answer with the service concerned and
--   open a ticket; for a claim to check, prepare a factual answer.
-- Owner fr: modération d’astreinte
-- Owner en: moderator on call
with thresholds as (
    select
        0.10 as margin,
        20 as least_mentions,
        8 as least_authors,
        10 as least_negative,
        60 as small_place_day_mean,
        0.60 as cold_share,
        1.96 as interval_z
),

used as (
    select cast(to_json(thresholds) as varchar) as parameters
    from thresholds
),

graded as (
    select
        signal.*,
        signal.scored_count * signal.negative_share_expected as expected_count,
        thresholds.interval_z * sqrt(
            signal.scored_count
            * signal.negative_share_expected
            * (1 - signal.negative_share_expected)
        ) as half_width,
        least(
            greatest(
                signal.negative_share_low
                / if(
                    signal.is_warming_up,
                    thresholds.cold_share,
                    signal.negative_share_expected + thresholds.margin
                ),
                least(
                    coalesce(signal.negative_burst, 0),
                    signal.negative_share
                    / (signal.negative_share_expected + thresholds.margin)
                )
            ),
            signal.mention_count / thresholds.least_mentions,
            signal.author_count / thresholds.least_authors,
            signal.negative_count / thresholds.least_negative
        ) as level
    from signal
    cross join thresholds
    where
        signal.scope = 'all'
        and signal.window_minutes
        = if(signal.day_mean < thresholds.small_place_day_mean, 1440, 60)
)

select
    'negative_surge' as rule_id,
    '2' as rule_version,
    graded.subject_id,
    graded.scope,
    'warning' as severity,
    graded.level,
    graded.window_minutes,
    graded.negative_count as observed,
    graded.expected_count as expected,
    null as score,
    graded.text_count,
    graded.author_count,
    graded.negative_share as share,
    graded.negative_share_low as share_low,
    graded.negative_share_high as share_high,
    graded.negative_share_expected as share_expected,
    graded.negative_message_ids as message_ids,
    graded.is_warming_up,
    used.parameters,
    greatest(floor(graded.expected_count - graded.half_width), 0) as low,
    ceil(graded.expected_count + graded.half_width) as high
from graded
cross join used
where graded.level >= 0.6;
