-- Rule: service_outage
-- Version: 2
-- Severity: warning
-- Purpose: far more complaints about one public service than usual: it may be down.
-- Grain: one row per subject and service that is above, or has not yet left, the threshold.
-- Reads: signal, signal_act (made by pipelines/baseline.py). Read by: pipelines/detect.py.
-- Units: observed, expected, low and high are complaints in the window, copies included; shares
--   are of the texts of the window that complain of the service, copies counted once. Where a
--   service is complained of often every day, `burst` is its own level (pipelines/burst.py).
-- Caveat: some twenty services are looked at each time, so each must be rarer than a surge. A
--   complaint is what the models take for one.
-- Inhibited by: volume_surge
-- Asleep unless: starts_with(scope, 'service:') and (window_minutes = 60 or
--   window_minutes = 1440 and day_mean < small_place_day_mean) and author_count >= least_people
--   and mention_count >= times_expected * expected
--   and mention_count >= least(least_complaints, cold_complaints)
-- Label fr: Plaintes sur un service
-- Label en: Complaints about a service
-- Window fr: 60 min, ou 24 h là où l’on parle peu
-- Window en: 60 min, or 24 h where few people speak
-- Headline fr: {observed} plaintes en {window} (attendu {expected})
-- Headline en: {observed} complaints in {window} (expected {expected})
-- Resolves fr: les plaintes repassent sous le seuil pendant 60 minutes
-- Resolves en: complaints stay below the threshold for 60 minutes
-- Procedure fr: Demander au service s’il connaît une panne ; si oui, publier ce qui est arrêté,
--   depuis quand et quand le point suivant sera fait.
-- Procedure en: Ask the service whether it knows of a breakdown; if so, publish what has stopped,
--   since when, and when the next news will come.
-- Owner fr: communication
-- Owner en: communications
with thresholds as (
    select
        5.0 as enter_score,
        3.0 as times_expected,
        8 as least_complaints,
        6 as least_people,
        0.02 as share_margin,
        60 as small_place_day_mean,
        15 as cold_complaints
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
            case
                when signal_act.is_warming_up
                    then signal_act.mention_count / thresholds.cold_complaints
                else least(
                    coalesce(signal_act.burst, signal_act.score / thresholds.enter_score),
                    signal_act.mention_count / greatest(
                        thresholds.least_complaints,
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
        starts_with(signal_act.scope, 'service:')
        and signal_act.window_minutes
        = if(subject_day.day_mean < thresholds.small_place_day_mean, 1440, 60)
)

select
    'service_outage' as rule_id,
    '2' as rule_version,
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
where graded.level >= 0.6;
