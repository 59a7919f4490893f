-- Rule: threat
-- Version: 1
-- Severity: critical
-- Purpose: a threat, or content that the law may punish, is seen: one mention is enough.
-- Grain: one row per subject with such a mention in the last hour, so that a raid is one incident.
-- Reads: mention_scored, mention, signal. Read by: pipelines/detect.py.
-- Units: observed is mentions of the window that are suspected; copies included.
-- Caveat: suspected, never more: a person reads and decides. A threat that the models are not sure
--   of counts half, so that it takes two people. A threat spoken in jest or quoted may be taken
--   for one.
-- Joins: 60 minutes
-- Brings: threat
-- Legal: yes
-- Asleep unless: scope = 'risk:illicit' and window_minutes = if(minutes <= 60, 60, 1440)
-- Label fr: Menace ou contenu présumé illicite
-- Label en: Threat or suspected illicit content
-- Window fr: 60 min
-- Window en: 60 min
-- Headline fr: à lire sans attendre ({observed} en {window})
-- Headline en: to read at once ({observed} in {window})
-- Resolves fr: aucun nouveau message de ce genre n’est lu pendant 60 minutes après la dernière
--   heure comptée
-- Resolves en: no new message of the kind is read for 60 minutes after the last hour counted
-- Procedure fr: Lire le message d’origine. Si le danger est immédiat, appeler le 17 ou le 112, puis
--   prévenir la direction. Conserver le lien et une capture, ne pas répondre, ne rien publier. À
--   deux, avec le service juridique : signalement sur PHAROS (internet-signalement.gouv.fr) ; avis
--   au procureur de la République si un crime ou un délit est constaté (article 40 du code de
--   procédure pénale) ; plainte de la personne visée et protection fonctionnelle.
-- Procedure en: Read the original message. If the danger is immediate, call 17 or 112 (police),
--   then tell the head. Keep the link and a screenshot, do not answer, publish nothing. In twos,
--   with legal advice: a report on PHAROS (internet-signalement.gouv.fr); notice to the public
--   prosecutor if a crime or offence is found (article 40 of the code of criminal procedure); a
--   complaint by the person threatened, and the protection owed to agents and elected officials.
-- Owner fr: modération d’astreinte
-- Owner en: moderator on call
with thresholds as (
    select
        60 as minutes,
        0.5 as sure_chance,
        0.5 as unsure_weight,
        1 as enter_weight
),

used as (
    select cast(to_json(thresholds) as varchar) as parameters
    from thresholds
),

suspected as (
    select
        mention_scored.mention_id,
        mention_scored.text_hash,
        mention_scored.published_at,
        thresholds.minutes,
        unnest(mention_scored.subject_ids) as subject_id,
        not coalesce(list_contains(mention_scored.acts, 'threat'), false)
        or mention_scored.act_p[7] >= thresholds.sure_chance as is_sure
    from mention_scored
    cross join thresholds
    where
        mention_scored.published_at >= $as_of - to_minutes(thresholds.minutes)
        and mention_scored.published_at < $as_of
        and not mention_scored.is_own
        and list_contains(mention_scored.scopes, 'risk:illicit')
),

spoken as (
    select
        suspected.*,
        coalesce(
            mention.author_key, mention.relay_id, mention.source_instance, mention.source_name
        ) as author
    from suspected
    inner join mention
        on
            suspected.published_at = mention.published_at
            and suspected.mention_id = mention.mention_id
),

counted as (
    select
        subject_id,
        any_value(minutes) as window_minutes,
        count(*) as mention_count,
        count(distinct text_hash) as text_count,
        count(distinct author) as author_count,
        count(distinct author) filter (where is_sure) as sure_count,
        list(mention_id order by is_sure desc, published_at desc, mention_id asc)[1:3]
            as message_ids
    from spoken
    group by subject_id
),

graded as (
    select
        counted.*,
        (
            counted.sure_count
            + thresholds.unsure_weight * (counted.author_count - counted.sure_count)
        ) / thresholds.enter_weight as level
    from counted
    cross join thresholds
),

warming as (
    select
        subject_id,
        bool_or(is_warming_up) as is_warming_up
    from signal
    where scope = 'all'
    group by subject_id
)

select
    'threat' as rule_id,
    '1' as rule_version,
    graded.subject_id,
    'risk:illicit' as scope,
    'critical' as severity,
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
where graded.level >= 0.6;
