-- Rule: volume_surge
-- Version: 4
-- Severity: warning, critical
-- Purpose: far more mentions of a subject than at this hour of this kind of day.
-- Grain: one row per subject that is above, or has not yet left, the threshold: the hour where it
--   enters, else the quarter of an hour; a critical one before a warning.
-- Reads: signal (made by pipelines/surge.py). Read by: pipelines/detect.py.
--   `burst` is the level of the detector (pipelines/burst.py, docs/bursts.md), where 1 enters.
-- Units: observed, expected, low and high are mentions in the window, copies included.
-- Caveat: a rush of copies is a rush; text_count beside it counts copies once. It is critical where
--   it is hostile (negative texts beyond their usual share; or surely more than a third of them, no
--   less than usual, while negative messages burst as well, or nearly) or sensitive; by its height
--   alone unless it is surely less negative than usual, as a joke is that everybody repeats. While
--   warming up it is a warning: a collection that begins is as high as a crisis.
-- Asleep unless: scope = 'all' and (burst >= 1 or (burst is null or not is_known)
--   and window_minutes <= 60 and mention_count >= cold_mentions)
-- Label fr: Afflux de mentions
-- Label en: Surge in mentions
-- Window fr: 15 et 60 min, ou 60 min et 24 h là où l’on parle peu
-- Window en: 15 and 60 min, or 60 min and 24 h where few people speak
-- Headline fr: {observed} mentions en {window} (attendu {expected})
-- Headline en: {observed} mentions in {window} (expected {expected})
-- Resolves fr: le volume repasse durablement sous le seuil pendant 60 minutes
-- Resolves en: volume stays below the threshold for 60 minutes
-- Procedure fr: Lire les messages cités, identifier le fait déclencheur, prévenir le service
--   concerné ; répondre si une information manque.
-- Procedure en: Read the messages below, find what set them off, inform the service concerned;
--   answer if information is missing.
-- Owner fr: modération d’astreinte
-- Owner en: moderator on call
with thresholds as (
    select
        12 as least_mentions,
        60 as small_day, -- mentions; below, few speak, and an hour needs fewer
        6 as small_hour,
        4 as least_authors,
        60 as cold_mentions,
        20 as share_mentions,
        8 as share_authors,
        0.10 as negative_margin,
        0.33 as angry_share,
        0.6 as angry_burst, -- a part of all is too rare to be as far from its usual as all
        0.15 as sensitive_margin
),

used as (
    select cast(to_json(thresholds) as varchar) as parameters
    from thresholds
),

measured as (
    select
        signal.*,
        thresholds.*
    from signal
    cross join thresholds
    where
        signal.scope = 'all'
        and if(
            signal.is_warming_up,
            signal.window_minutes < 1440,
            signal.burst is not null
        )
),

sensitive as (
    select
        signal.window_minutes,
        signal.subject_id,
        bool_or(
            signal.topic_share_low > signal.topic_share_expected + thresholds.sensitive_margin
        ) as is_sensitive
    from signal
    cross join thresholds
    where signal.scope <> 'all'
    group by all
),

harmless as (
    select
        subject_id,
        coalesce(bool_or(
            mention_count >= share_mentions
            and author_count >= share_authors
            and negative_share_high < negative_share_expected
        ), false) as is_harmless
    from measured
    group by subject_id
),

graded as (
    select
        measured.*,
        case
            when measured.is_warming_up then measured.mention_count / measured.cold_mentions
            else least(
                measured.burst,
                measured.mention_count / if(
                    measured.window_minutes = 60 and measured.day_mean < measured.small_day,
                    measured.small_hour,
                    measured.least_mentions
                ),
                measured.author_count / measured.least_authors
            )
        end as level,
        not measured.is_warming_up
        and measured.is_flood
        and not harmless.is_harmless as is_flooded,
        measured.mention_count >= measured.share_mentions
        and measured.author_count >= measured.share_authors
        and not measured.is_warming_up
        and (
            measured.negative_share_low
            > measured.negative_share_expected + measured.negative_margin
            or (
                measured.negative_burst >= measured.angry_burst
                and measured.negative_share >= measured.negative_share_expected
                and measured.negative_share_low >= measured.angry_share
            )
            or coalesce(sensitive.is_sensitive, false)
        ) as is_hostile,
        if(is_flooded or is_hostile, 'critical', 'warning') as severity
    from measured
    inner join harmless on measured.subject_id = harmless.subject_id
    left join sensitive
        on
            measured.window_minutes = sensitive.window_minutes
            and measured.subject_id = sensitive.subject_id
)

select
    'volume_surge' as rule_id,
    '4' as rule_version,
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
    graded.negative_share as share,
    graded.negative_share_low as share_low,
    graded.negative_share_high as share_high,
    graded.negative_share_expected as share_expected,
    graded.message_ids,
    graded.is_warming_up,
    used.parameters
from graded
cross join used
where graded.level >= 0.6
qualify row_number() over (
    partition by graded.subject_id
    order by graded.severity asc, least(graded.level, 1.0) desc, graded.window_minutes desc
) = 1;
