-- Rule: questions_surge
-- Version: 1
-- Severity: warning
-- Purpose: many people ask about one topic or one service: an answer is missing.
-- Grain: one row per subject and topic or service asked about that is above, or has not yet left,
--   the threshold; where the same questions touch several, the one with most.
-- Reads: signal, signal_act (made by pipelines/surge.py). Read by: pipelines/detect.py.
-- Units: observed, expected, low and high are questions in the window, copies included; people and
--   distinct texts are asked for besides. Shares are of the texts of the window.
-- Caveat: a question is what the models take for one; a reproach with a question mark may be.
-- Inhibited by: volume_surge
-- Asleep unless: starts_with(scope, 'question:') and (window_minutes = 60 or
--   window_minutes = 1440 and day_mean < small_place_day_mean) and author_count >= least_people
--   and mention_count >= least(least_questions, cold_questions)
-- Joins: 120 minutes
-- Label fr: Questions en nombre
-- Label en: Many questions
-- Window fr: 60 min, ou 24 h là où l’on parle peu
-- Window en: 60 min, or 24 h where few people speak
-- Headline fr: {observed} questions en {window} (attendu {expected})
-- Headline en: {observed} questions in {window} (expected {expected})
-- Resolves fr: les questions repassent sous le seuil pendant 60 minutes
-- Resolves en: questions stay below the threshold for 60 minutes
-- Procedure fr: Lire les questions, demander la réponse au service concerné, la publier une fois
--   pour tous et y renvoyer ceux qui ont demandé.
-- Procedure en: Read the questions, get the answer from the service concerned, publish it once for
--   all and point those who asked to it.
-- Owner fr: communication
-- Owner en: communications
with thresholds as (
    select
        5.0 as enter_score,
        3.0 as times_expected,
        8 as least_questions,
        6 as least_texts,
        6 as least_people,
        0.02 as share_margin,
        60 as small_place_day_mean,
        15 as cold_questions
),

used as (
    select cast(to_json(thresholds) as varchar) as parameters
    from thresholds
),

subject_day as (
    select
        subject_id,
        max(day_mean) as day_mean
    from signal
    where scope = 'all'
    group by subject_id
),

graded as (
    select
        signal_act.*,
        least(
            signal_act.author_count / thresholds.least_people,
            signal_act.text_count / thresholds.least_texts,
            case
                when signal_act.is_warming_up
                    then signal_act.mention_count / thresholds.cold_questions
                else least(
                    coalesce(signal_act.burst, signal_act.score / thresholds.enter_score),
                    signal_act.mention_count / greatest(
                        thresholds.least_questions,
                        thresholds.times_expected * signal_act.expected
                    ),
                    signal_act.topic_share_low
                    / (signal_act.topic_share_expected + thresholds.share_margin)
                )
            end
        ) as level
    from signal_act
    inner join subject_day on signal_act.subject_id = subject_day.subject_id
    cross join thresholds
    where
        starts_with(signal_act.scope, 'question:')
        and signal_act.window_minutes
        = if(subject_day.day_mean < thresholds.small_place_day_mean, 1440, 60)
)

select
    'questions_surge' as rule_id,
    '1' as rule_version,
    graded.subject_id,
    graded.scope,
    'warning' as severity,
    graded.level,
    graded.window_minutes,
    graded.mention_count as observed,
    graded.expected,
    graded.low,
    graded.high,
    graded.score,
    graded.text_count,
    graded.author_count,
    graded.topic_share as share,
    graded.topic_share_low as share_low,
    graded.topic_share_high as share_high,
    graded.topic_share_expected as share_expected,
    graded.message_ids,
    graded.is_warming_up,
    used.parameters
from graded
cross join used
where graded.level >= 0.6
qualify row_number() over (
    partition by graded.subject_id, graded.message_ids
    order by graded.mention_count desc, graded.scope asc
) = 1;
