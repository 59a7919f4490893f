-- Purpose: how many messages of each day were edited, or taken away, since they were heard.
-- Published: yes.
-- Grain: one row per local day and network with a message, deleted ones included.
-- Reads: mention, daily.
-- Units: counts and shares 0..1 of the day's messages of others; the day is that of publication.
-- Caveat: a post that went before it was heard was never here; young days have had less time. Who
--   took a post away, its author or its platform, is mostly not told. Fewer than ten pseudonyms
--   among the live ones, counted subject by subject: held back, figures are null.
create or replace view daily_fate as
with thresholds as (
    select 10 as k
),

counted as (
    select
        mention.network,
        cast(
            timezone(
                coalesce(
                    (select any_value(institution.time_zone) from institution), 'Europe/Paris'
                ),
                mention.published_at
            ) as date
        ) as day_on,
        count(*) as mention_count,
        count(mention.edited_at) as edited_count,
        count(mention.deleted_at) as deleted_count
    from mention
    where not mention.is_own and not mention.optout
    group by mention.network, day_on
),

-- Of the subject with most of them: two subjects may share a pseudonym.
written as (
    select
        daily.day_on,
        daily.network,
        max(daily.author_count) as author_count
    from daily
    where daily.scope = 'all'
    group by daily.day_on, daily.network
)

select
    counted.day_on,
    counted.network,
    coalesce(written.author_count, 0) < thresholds.k as is_suppressed,
    if(is_suppressed, null, counted.mention_count) as mention_count,
    if(is_suppressed, null, counted.edited_count) as edited_count,
    if(is_suppressed, null, counted.deleted_count) as deleted_count,
    if(is_suppressed, null, counted.edited_count / counted.mention_count) as edited_share,
    if(is_suppressed, null, counted.deleted_count / counted.mention_count) as deleted_share
from counted
cross join thresholds
left join written on counted.day_on = written.day_on and counted.network = written.network;

comment on view daily_fate is
'One row per local day and network: messages edited or taken away since they were heard. Young '
'days have had less time. Figures of fewer than ten pseudonyms are null.';
comment on column daily_fate.mention_count is
'Messages of others, deleted ones included; null where held back.';
comment on column daily_fate.edited_count is 'Of these, edited since; null where held back.';
comment on column daily_fate.deleted_count is 'Of these, gone since; null where held back.';
comment on column daily_fate.edited_share is '0..1 of the messages; null where held back.';
comment on column daily_fate.deleted_share is '0..1 of the messages; null where held back.';
comment on column daily_fate.day_on is 'The day at the institution.';
comment on column daily_fate.network is 'Where it was published: mastodon, bluesky, press, …';
comment on column daily_fate.is_suppressed is 'Fewer than ten pseudonyms: figures held back.';
