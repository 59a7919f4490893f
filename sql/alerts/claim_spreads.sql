-- Rule: claim_spreads
-- Version: 1
-- Severity: warning; critical for a danger (T20) that many repeat
-- Purpose: one claim is repeated by several people, word for word or nearly.
-- Grain: one row per subject with such a claim: the one that most people repeat.
-- Reads: spread (made by pipelines/spreads.py), signal. Read by: pipelines/detect.py.
-- Units: observed is mentions of the claim in the window, near-copies included.
-- Caveat: a claim and its denial are two messages, and a denial is not told. A paraphrase is
--   another message, and so is a text of fewer than six words. Where much is said, more people
--   have to repeat it.
-- Brings: danger
-- Asleep unless: scope = 'claims' and author_count >= least(most_people, if(window_minutes = 60,
--   hour_people, long_people))
-- Label fr: Affirmation qui se propage
-- Label en: Claim that spreads
-- Window fr: 60 min et 6 h
-- Window en: 60 min and 6 h
-- Headline fr: un même message repris {observed} fois par {authors} comptes en {window}
-- Headline en: one message repeated {observed} times by {authors} accounts in {window}
-- Resolves fr: plus personne, ou presque, ne reprend ce message pendant 60 minutes
-- Resolves en: hardly anyone repeats the message for 60 minutes
-- Procedure fr: Vérifier les faits avec le service concerné avant toute réponse ; si l’affirmation
--   est fausse, publier une réponse sourcée et la tenir prête pour le standard.
-- Procedure en: Check the facts with the service concerned before any answer; if the claim is
--   false, publish an answer with its source and give it to the switchboard.
-- Owner fr: modération d’astreinte
-- Owner en: moderator on call
with thresholds as (
    select
        6 as hour_people,
        10 as long_people,
        0.02 as people_share,
        50 as most_people,
        20 as critical_hour_people,
        40 as critical_long_people,
        0.5 as danger_share
),

used as (
    select cast(to_json(thresholds) as varchar) as parameters
    from thresholds
),

warming as (
    select
        subject_id,
        bool_or(is_warming_up) as is_warming_up
    from signal
    where scope = 'all'
    group by subject_id
),

graded as (
    select
        spread.*,
        least(
            thresholds.most_people,
            greatest(
                if(spread.window_minutes = 60, thresholds.hour_people, thresholds.long_people),
                thresholds.people_share * spread.window_count
            )
        ) as enter_people,
        if(
            spread.author_count >= if(
                spread.window_minutes = 60,
                thresholds.critical_hour_people,
                thresholds.critical_long_people
            )
            and spread.danger_count >= thresholds.danger_share * spread.mention_count,
            'critical',
            'warning'
        ) as severity,
        spread.author_count / enter_people as level
    from spread
    cross join thresholds
    where spread.is_claim and not spread.is_denial
)

select
    'claim_spreads' as rule_id,
    '1' as rule_version,
    graded.subject_id,
    'all' as scope,
    graded.severity,
    graded.level,
    graded.window_minutes,
    graded.mention_count as observed,
    null as expected,
    null as low,
    null as high,
    null as score,
    graded.text_count,
    graded.author_count,
    null as share,
    null as share_low,
    null as share_high,
    null as share_expected,
    graded.message_ids,
    used.parameters,
    coalesce(warming.is_warming_up, false) as is_warming_up
from graded
cross join used
left join warming on graded.subject_id = warming.subject_id
where graded.level >= 0.6
qualify row_number() over (
    partition by graded.subject_id
    order by
        graded.severity asc,
        least(graded.level, 1.0) desc,
        graded.author_count desc,
        graded.window_minutes asc,
        graded.spread_id asc
) = 1;
