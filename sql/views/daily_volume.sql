-- Purpose: how many messages named each subject on each day.
-- Published: yes.
-- Grain: one row per local day and subject with a mention. Reads: daily, subject.
-- Units: counts; `author_count` counts distinct pseudonyms, which no table keeps beside it.
-- Caveat: a day without a row is a day without a mention. A day of fewer than ten pseudonyms is
--   held back: `is_suppressed`, and its figures are null. Own posts do not count.
create or replace view daily_volume as
with thresholds as (
    select 10 as k
),

counted as (
    select
        daily.day_on,
        daily.subject_id,
        sum(daily.mention_count) as mention_count,
        sum(daily.author_count) as author_count,
        sum(daily.scored_count) as scored_count
    from daily
    where daily.scope = 'all'
    group by daily.day_on, daily.subject_id
)

select
    counted.day_on,
    counted.subject_id,
    subject.label as subject_label,
    counted.author_count < thresholds.k as is_suppressed,
    if(is_suppressed, null, counted.mention_count)::bigint as mention_count,
    if(is_suppressed, null, counted.author_count)::bigint as author_count,
    if(is_suppressed, null, counted.scored_count)::bigint as scored_count
from counted
cross join thresholds
left join subject on counted.subject_id = subject.subject_id;

comment on view daily_volume is
'One row per local day and subject with a mention; figures of fewer than ten pseudonyms are null.';
comment on column daily_volume.is_suppressed is 'Fewer than ten pseudonyms: figures held back.';
comment on column daily_volume.scored_count is 'Messages of which the model said a tone.';
comment on column daily_volume.day_on is 'The day at the institution.';
comment on column daily_volume.subject_id is 'The watched subject, as in vigie.toml.';
comment on column daily_volume.subject_label is
'Its label in vigie.toml; null for a subject that is watched no more.';
comment on column daily_volume.mention_count is 'Messages; null where held back.';
comment on column daily_volume.author_count is 'Distinct pseudonyms; null where held back.';
