-- Rule: topic_surge
-- Version: 2
-- Severity: warning; critical for T20 (crisis and civil safety)
-- Purpose: a sensitive topic is spoken of far more than usual, in number and in share.
-- Grain: one row per subject and topic that is above, or has not yet left, the threshold.
-- Reads: signal (made by pipelines/baseline.py). Read by: pipelines/detect.py.
-- Units: observed, expected, low and high are mentions of the topic in the window, copies
--   included; shares are of the texts of the window that are of the topic, copies counted once.
--   Where enough is said of a topic every day, `burst` is its own level (pipelines/burst.py).
-- Caveat: twenty topics are looked at each time, so each must be rarer than a surge of volume. A
--   danger (T20) is told from fewer mentions: it takes priority over every other topic.
-- Inhibited by: volume_surge
-- Brings: danger
-- Asleep unless: scope not in ('all', 'claims', 'calls', 'reactions') and (window_minutes = 60 or
--   window_minutes = 1440 and day_mean < small_place_day_mean) and author_count >= least_authors
--   and mention_count >= times_expected * expected and mention_count >= least(
--   least_mentions, cold_mentions, if(scope = critical_topic, critical_mentions, least_mentions))
-- Label fr: Sujet sensible en hausse
-- Label en: Sensitive topic rising
-- Window fr: 60 min, ou 24 h là où l’on parle peu
-- Window en: 60 min, or 24 h where few people speak
-- Headline fr: {observed} mentions en {window} (attendu {expected})
-- Headline en: {observed} mentions in {window} (expected {expected})
-- Resolves fr: le sujet repasse sous le seuil pendant 60 minutes
-- Resolves en: the topic stays below the threshold for 60 minutes
-- Procedure fr: Lire les messages cités, vérifier les faits avec le service concerné, suivre les
--   reprises ; aucun message n’est masqué ni signalé automatiquement.
-- Procedure en: Read the messages below, check the facts with the service concerned, watch the
--   copies; no message is hidden or reported automatically.
-- Owner fr: communication
-- Owner en: communications
with thresholds as (
    select
        5.0 as enter_score,
        2.0 as times_expected,
        20 as least_mentions,
        8 as least_authors,
        0.05 as share_margin,
        60 as small_place_day_mean,
        30 as cold_mentions,
        'T20' as critical_topic,
        10 as critical_mentions,
        0.02 as critical_margin
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

measured as (
    select
        signal.*,
        thresholds.*,
        signal.scope = thresholds.critical_topic as is_crisis,
        if(is_crisis, thresholds.critical_mentions, thresholds.least_mentions) as enter_count,
        if(is_crisis, thresholds.critical_margin, thresholds.share_margin) as margin
    from signal
    inner join subject_day on signal.subject_id = subject_day.subject_id
    cross join thresholds
    where
        signal.scope <> 'all'
        and signal.window_minutes
        = if(subject_day.day_mean < thresholds.small_place_day_mean, 1440, 60)
),

graded as (
    select
        measured.*,
        if(measured.is_crisis, 'critical', 'warning') as severity,
        least(
            measured.author_count / measured.least_authors,
            case
                when measured.is_warming_up then measured.mention_count / measured.cold_mentions
                else least(
                    coalesce(measured.burst, measured.score / measured.enter_score),
                    measured.mention_count
                    / greatest(measured.enter_count, measured.times_expected * measured.expected),
                    measured.topic_share_low / (measured.topic_share_expected + measured.margin)
                )
            end
        ) as level
    from measured
)

select
    'topic_surge' as rule_id,
    '2' as rule_version,
    graded.subject_id,
    graded.scope,
    graded.severity,
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
where graded.level >= 0.6;
