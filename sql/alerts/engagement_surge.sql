-- Rule: engagement_surge
-- Version: 1
-- Severity: warning
-- Purpose: what is said about a subject is liked, answered and passed on far more than usual, be it
--   one message: few mentions, and yet many hear of it.
-- Grain: one row per subject that is above, or has not yet left, the threshold.
-- Reads: engagement (made by pipelines/gains.py). Read by: pipelines/detect.py.
-- Units: observed, expected, low and high are likes, replies and shares gained in an hour;
--   `share` is what the first message has of them, `text_count` how many messages gained any.
-- Caveat: only what sources tell again of a message is known: feeds, forums and exports mostly tell
--   nothing. A message that gains half or more is named alone.
-- Counts: reactions
-- Inhibited by: volume_surge
-- Asleep unless: scope = 'reactions' and mention_count >= least(least_gained, cold_gained)
-- Joins: 120 minutes
-- Label fr: Messages très relayés
-- Label en: Messages widely passed on
-- Window fr: 60 min
-- Window en: 60 min
-- Headline fr: {observed} réactions en {window} (attendu {expected}), dont {share} à un seul
--   message
-- Headline en: {observed} reactions in {window} (expected {expected}), {share} to a single message
-- Resolves fr: les réactions repassent sous le seuil pendant 60 minutes
-- Resolves en: reactions stay below the threshold for 60 minutes
-- Procedure fr: Lire le message le plus relayé et ses réponses ; vérifier les faits ; répondre au
--   message même, si une information manque, avant que les reprises ne la remplacent.
-- Procedure en: Read the message passed on most and its answers; check the facts; answer that very
--   message, if information is missing, before copies stand in for it.
-- Owner fr: modération d’astreinte
-- Owner en: moderator on call
with thresholds as (
    select
        3.0 as enter_score, -- one hour in a thousand
        2.0 as times_expected,
        60 as least_gained,
        300 as cold_gained,
        0.5 as viral_share
),

used as (
    select cast(to_json(thresholds) as varchar) as parameters
    from thresholds
),

graded as (
    select
        engagement.*,
        thresholds.viral_share,
        if(
            engagement.is_warming_up,
            engagement.gained_count / thresholds.cold_gained,
            least(
                engagement.score / thresholds.enter_score,
                engagement.gained_count / greatest(
                    thresholds.least_gained,
                    thresholds.times_expected * engagement.expected
                )
            )
        ) as level
    from engagement
    cross join thresholds
)

select
    'engagement_surge' as rule_id,
    '1' as rule_version,
    graded.subject_id,
    'all' as scope,
    'warning' as severity,
    graded.level,
    60 as window_minutes,
    graded.expected,
    graded.low,
    graded.high,
    graded.score,
    graded.message_count as text_count,
    null as author_count,
    graded.top_share as share,
    null as share_low,
    null as share_high,
    null as share_expected,
    graded.is_warming_up,
    used.parameters,
    round(graded.gained_count) as observed,
    if(
        graded.top_share >= graded.viral_share,
        graded.message_ids[1:1],
        graded.message_ids
    ) as message_ids
from graded
cross join used
where graded.level >= 0.6;
