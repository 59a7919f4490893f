-- Purpose: how many messages named each subject in each hour.
-- Published: yes.
-- Grain: one row per hour (UTC), subject and scope with a mention. Reads: hourly.
-- Units: counts; `scope` is 'all', a topic id, act:…, risk:… or service:… (complaints).
-- Caveat: an hour without a row is an hour without a mention. Scopes overlap: never add them up.
--   Fewer than ten pseudonyms: held back, figures are null.
create or replace view hourly_volume as
with thresholds as (
    select 10 as k
)

select
    hourly.hour_at,
    hourly.subject_id,
    hourly.scope,
    hourly.author_count < thresholds.k as is_suppressed,
    if(is_suppressed, null, hourly.mention_count) as mention_count,
    if(is_suppressed, null, hourly.scored_count) as scored_count,
    if(is_suppressed, null, hourly.negative_count) as negative_count,
    if(is_suppressed, null, hourly.positive_count) as positive_count
from hourly
cross join thresholds;

comment on view hourly_volume is
'One row per hour (UTC), subject and scope with a mention. Scopes overlap: never add them up. '
'Figures of fewer than ten pseudonyms are null.';
comment on column hourly_volume.scope is 'all, a topic id, act:…, risk:… or service:… (complaint).';
comment on column hourly_volume.hour_at is 'The hour, by its start (UTC).';
comment on column hourly_volume.subject_id is 'The watched subject, as in vigie.toml.';
comment on column hourly_volume.is_suppressed is 'Fewer than ten pseudonyms: figures held back.';
comment on column hourly_volume.mention_count is 'Messages; null where held back.';
comment on column hourly_volume.scored_count is
'Messages with a tone, undetermined ones left out; null where held back.';
comment on column hourly_volume.negative_count is
'Messages in a negative tone; null where held back.';
comment on column hourly_volume.positive_count is
'Messages in a positive tone; null where held back.';
