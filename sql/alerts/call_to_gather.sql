-- Rule: call_to_gather
-- Version: 1
-- Severity: warning
-- Purpose: people call others together: one call with a date or a place is repeated by several, or
--   far more calls than usual are made.
-- Grain: one row per subject with such a call, or such calls.
-- Reads: spread (made by pipelines/spreads.py), signal, signal_act (made by pipelines/baseline.py).
--   Read by: pipelines/detect.py.
-- Units: observed is mentions of the call, near-copies included, or of all calls.
-- Caveat: to call people together is a right: the alert serves to prepare, answer and keep people
--   safe, never to find who called. An outing or a party may be taken for a call.
-- Asleep unless: scope = 'calls' and author_count >= if(window_minutes = 60, hour_people,
--   long_people) or scope = 'act:gather' and window_minutes = 1440 and author_count >= least_people
--   and mention_count >= least(least_calls, cold_calls)
-- Label fr: Appel à se rassembler
-- Label en: Call to gather
-- Window fr: 60 min ou 6 h pour un appel répété, 24 h pour des appels en nombre
-- Window en: 60 min or 6 h for one repeated call, 24 h for many calls
-- Headline fr: {observed} messages d’appel par {authors} comptes en {window}
-- Headline en: {observed} calls to gather by {authors} accounts in {window}
-- Resolves fr: l’appel n’est presque plus repris pendant 60 minutes
-- Resolves en: the call is hardly repeated for 60 minutes
-- Procedure fr: Vérifier date et lieu, prévenir le cabinet et la police municipale s’il faut
--   accueillir du public ; ne relever aucun nom.
-- Procedure en: Check date and place, tell the mayor’s office, and the local police if a crowd must
--   be received; note nobody’s name.
-- Owner fr: communication
-- Owner en: communications
with thresholds as (
    select
        5 as hour_people,
        8 as long_people,
        4.0 as enter_score,
        3.0 as times_expected,
        10 as least_calls,
        8 as least_people,
        20 as cold_calls
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

repeated as (
    select
        spread.subject_id,
        spread.window_minutes,
        spread.mention_count,
        null as expected,
        null as low,
        null as high,
        null as score,
        spread.text_count,
        spread.author_count,
        spread.message_ids,
        spread.author_count
        / if(spread.window_minutes = 60, thresholds.hour_people, thresholds.long_people) as level
    from spread
    cross join thresholds
    where
        spread.is_call
        and not spread.is_denial
        and (spread.is_dated or 2 * spread.place_count >= spread.mention_count)
),

rising as (
    select
        signal_act.subject_id,
        signal_act.window_minutes,
        signal_act.mention_count,
        signal_act.expected,
        signal_act.low,
        signal_act.high,
        signal_act.score,
        signal_act.text_count,
        signal_act.author_count,
        signal_act.message_ids,
        least(
            signal_act.author_count / thresholds.least_people,
            case
                when signal_act.is_warming_up
                    then signal_act.mention_count / thresholds.cold_calls
                else least(
                    signal_act.score / thresholds.enter_score,
                    signal_act.mention_count / greatest(
                        thresholds.least_calls, thresholds.times_expected * signal_act.expected
                    )
                )
            end
        ) as level
    from signal_act
    cross join thresholds
    where signal_act.scope = 'act:gather' and signal_act.window_minutes = 1440
),

graded as (
    select * from repeated
    union all
    select * from rising
)

select
    'call_to_gather' as rule_id,
    '1' as rule_version,
    graded.subject_id,
    'all' as scope,
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
        least(graded.level, 1.0) desc,
        graded.author_count desc,
        graded.window_minutes asc,
        graded.mention_count desc,
        graded.message_ids asc
) = 1;
