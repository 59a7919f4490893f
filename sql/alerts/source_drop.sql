-- Rule: source_drop
-- Version: 1
-- Severity: warning
-- Purpose: a source answers and yet brings far less than it ever does: an account that is muted, a
--   search that changed, a page that is cut. Calm is what it looks like.
-- Grain: one row per source block that brings too little, or has until just now; scope is its name.
-- Reads: source_block, source_hour. Read by: pipelines/detect.py.
-- Units: observed and expected are mentions heard in 24 hours; low and high the least and the most
--   of 28 days of the same length, those that were read.
-- Caveat: needs fourteen days that were read and forty mentions on an ordinary one: below, a day
--   without any is no news. What was not read at all is the business of silent_source.
-- Drop: yes
-- Within an hour: rises
-- Tells: operators
-- Label fr: Source appauvrie
-- Label en: Source brings less
-- Window fr: 24 h
-- Window en: 24 h
-- Headline fr: {observed} mentions en {window} (attendu {expected})
-- Headline en: {observed} mentions in {window} (expected {expected})
-- Resolves fr: la source apporte de nouveau au moins la moitié de son jour le plus calme
-- Resolves en: the source brings at least half of its quietest day again
-- Procedure fr: Ouvrir la source à la main et comparer ; vérifier la recherche, le compte et ses
--   droits (« vigie doctor », « vigie coverage »). D’ici là, le calme de cette source ne dit rien.
-- Procedure en: Open the source by hand and compare; check the search, the account and its rights
--   ("vigie doctor", "vigie coverage"). Until then, calm from this source says nothing.
-- Owner fr: exploitation
-- Owner en: operations
with thresholds as (
    select
        40 as least_usual,
        14 as least_days,
        28 as history_days,
        2.0 as times_fewer, -- than the quietest day
        0.9 as least_read
),

used as (
    select cast(to_json(thresholds) as varchar) as parameters
    from thresholds
),

days as (
    select
        source_hour.source_name,
        cast(floor(
            epoch(date_trunc('hour', cast($as_of as timestamptz)) - source_hour.hour_at) / 86400
            - 0.00001
        ) as integer) as days_ago,
        sum(source_hour.mention_count) as mention_count,
        sum(source_hour.read_seconds) as read_seconds
    from source_hour
    cross join thresholds
    where
        source_hour.hour_at < date_trunc('hour', cast($as_of as timestamptz))
        and source_hour.hour_at >= date_trunc('hour', cast($as_of as timestamptz))
        - to_days(1 + thresholds.history_days)
    group by all
),

known as (
    select days.*
    from days
    cross join thresholds
    where days.read_seconds >= thresholds.least_read * 86400
),

usual as (
    select
        source_name,
        median(mention_count) as expected,
        min(mention_count) as low,
        max(mention_count) as high,
        count(*) as day_count
    from known
    where days_ago > 0
    group by source_name
),

graded as (
    select
        source_block.source_name,
        known.mention_count,
        usual.expected,
        usual.low,
        usual.high,
        usual.low / (thresholds.times_fewer * greatest(known.mention_count, 0.5)) as level
    from known
    inner join source_block on known.source_name = source_block.source_name
    inner join usual on known.source_name = usual.source_name
    cross join thresholds
    where
        known.days_ago = 0
        and usual.expected >= thresholds.least_usual
        and usual.day_count >= thresholds.least_days
)

select
    'source_drop' as rule_id,
    '1' as rule_version,
    null as subject_id,
    graded.source_name as scope,
    'warning' as severity,
    graded.level,
    1440 as window_minutes,
    graded.mention_count as observed,
    graded.expected,
    graded.low,
    graded.high,
    null as score,
    null as text_count,
    null as author_count,
    null as share,
    null as share_low,
    null as share_high,
    null as share_expected,
    false as is_warming_up,
    used.parameters,
    [] as message_ids
from graded
cross join used
where graded.level >= 0.6;
