-- Rule: silent_source
-- Version: 2
-- Severity: warning
-- Purpose: no data is not calm: a source that cannot be read, or that has gone quiet for far
--   longer than it ever does, is told before its silence is taken for peace.
-- Grain: one row per source block that is silent, or has been until just now; scope is its name.
-- Reads: source_block, intake. Read by: pipelines/detect.py.
-- Units: observed and expected are minutes: since when, and how long is allowed.
-- Caveat: a source never read yet is `vigie doctor`'s business. Silence of a source that answers
--   is judged only after seven days and ten arrivals, against its longest pause of 28 days.
--   That a source of many mentions answers with nothing is told sooner by source_drop.
-- Inhibited by: source_drop
-- Within an hour: rises
-- Tells: operators
-- Label fr: Source silencieuse
-- Label en: Silent source
-- Window fr: depuis sa dernière réponse ou son dernier message
-- Window en: since its last answer or its last message
-- Headline fr: rien depuis {observed_span} (toléré {expected_span})
-- Headline en: nothing for {observed_span} (tolerated {expected_span})
-- Resolves fr: la source répond de nouveau et apporte des messages
-- Resolves en: the source answers again and brings messages
-- Procedure fr: Lancer « vigie doctor » ; vérifier l’accès, le jeton et les limites de la source.
--   D’ici là, l’absence de mentions de cette source ne veut rien dire.
-- Procedure en: Run "vigie doctor"; check the source's access, token and limits. Until then, no
--   mentions from this source means nothing.
-- Owner fr: exploitation
-- Owner en: operations
with thresholds as (
    select
        1440 as least_quiet_minutes,
        3.0 as times_longest_pause,
        10 as least_bringing,
        10080 as least_known_minutes,
        28 as history_days
),

used as (
    select cast(to_json(thresholds) as varchar) as parameters
    from thresholds
),

moment as (
    select
        cast($as_of as timestamptz) as as_of,
        cast($as_of as timestamptz) - to_days(history_days) as since_at
    from thresholds
),

history as (
    select
        intake.source_name,
        intake.until_at,
        intake.status,
        intake.accepted_count,
        moment.as_of
    from intake
    cross join moment
    where intake.until_at <= moment.as_of and intake.until_at > moment.since_at
),

bringing as (
    select
        source_name,
        until_at,
        until_at - lag(until_at) over (
            partition by source_name
            order by until_at asc
        ) as pause
    from history
    where accepted_count > 0
),

rhythm as (
    select
        source_name,
        count(*) as bringing_count,
        epoch(max(pause)) / 60 as longest_pause
    from bringing
    group by source_name
),

last_seen as (
    select
        source_name,
        epoch(any_value(as_of) - min(until_at)) / 60 as known_minutes,
        epoch(any_value(as_of) - max(until_at) filter (where status = 'ok')) / 60 as unread_minutes,
        epoch(any_value(as_of) - max(until_at) filter (where accepted_count > 0)) / 60
            as quiet_minutes
    from history
    group by source_name
),

measured as (
    select
        source_block.source_name,
        cast(source_block.silent_after_minutes as double) as unread_limit,
        coalesce(last_seen.unread_minutes, last_seen.known_minutes) as unread_minutes,
        greatest(
            cast(source_block.silent_after_minutes as double),
            thresholds.least_quiet_minutes,
            thresholds.times_longest_pause * rhythm.longest_pause
        ) as quiet_limit,
        if(
            rhythm.bringing_count >= thresholds.least_bringing
            and last_seen.known_minutes >= thresholds.least_known_minutes,
            last_seen.quiet_minutes,
            0
        ) as quiet_minutes
    from source_block
    inner join last_seen on source_block.source_name = last_seen.source_name
    left join rhythm on source_block.source_name = rhythm.source_name
    cross join thresholds
),

graded as (
    select
        source_name,
        unread_minutes / unread_limit as unread_level,
        coalesce(quiet_minutes / quiet_limit, 0) as quiet_level,
        greatest(unread_level, quiet_level) as level,
        if(unread_level >= quiet_level, unread_minutes, quiet_minutes) as observed,
        if(unread_level >= quiet_level, unread_limit, quiet_limit) as expected
    from measured
)

select
    'silent_source' as rule_id,
    '2' as rule_version,
    null as subject_id,
    graded.source_name as scope,
    'warning' as severity,
    graded.level,
    graded.observed,
    graded.expected,
    null as low,
    null as high,
    null as score,
    null as text_count,
    null as author_count,
    null as share,
    null as share_low,
    null as share_high,
    null as share_expected,
    false as is_warming_up,
    used.parameters,
    cast(ceil(graded.observed) as bigint) as window_minutes,
    [] as message_ids
from graded
cross join used
where graded.level >= 0.6;
