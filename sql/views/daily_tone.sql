-- Purpose: the tone of each day, with how sure one can be of it.
-- Published: yes.
-- Grain: one row per local day and subject with a mention. Reads: daily.
-- Units: shares are 0..1 of the messages with a tone; the interval is Wilson's, 95 % (E. B.
--   Wilson, JASA 22, 1927, p. 209).
-- Caveat: undetermined messages are in no share. A share of few messages has a wide interval:
--   read the interval, not the share. Fewer than ten pseudonyms: held back, figures are null.
create or replace view daily_tone as
with thresholds as (
    select
        10 as k,
        1.96 as z
),

counted as (
    select
        daily.day_on,
        daily.subject_id,
        sum(daily.author_count) < any_value(thresholds.k) as is_suppressed,
        sum(daily.scored_count) as n,
        sum(daily.negative_count) as negative_count,
        sum(daily.neutral_count) as neutral_count,
        sum(daily.positive_count) as positive_count,
        sum(daily.undetermined_count) as undetermined_count
    from daily
    cross join thresholds
    where daily.scope = 'all'
    group by daily.day_on, daily.subject_id
),

shared as (
    select
        counted.*,
        counted.negative_count / nullif(counted.n, 0) as p,
        thresholds.z * thresholds.z / nullif(counted.n, 0) as zz
    from counted
    cross join thresholds
),

bounded as (
    select
        shared.*,
        (shared.p + shared.zz / 2) / (1 + shared.zz) as middle,
        sqrt(shared.p * (1 - shared.p) * shared.zz + shared.zz * shared.zz / 4)
        / (1 + shared.zz) as half
    from shared
)

select
    bounded.day_on,
    bounded.subject_id,
    bounded.is_suppressed,
    if(bounded.is_suppressed, null, bounded.n)::bigint as scored_count,
    if(bounded.is_suppressed, null, bounded.negative_count)::bigint as negative_count,
    if(bounded.is_suppressed, null, bounded.neutral_count)::bigint as neutral_count,
    if(bounded.is_suppressed, null, bounded.positive_count)::bigint as positive_count,
    if(bounded.is_suppressed, null, bounded.undetermined_count)::bigint as undetermined_count,
    if(bounded.is_suppressed, null, bounded.p) as negative_share,
    if(bounded.is_suppressed, null, greatest(0, bounded.middle - bounded.half))
        as negative_share_low,
    if(bounded.is_suppressed, null, least(1, bounded.middle + bounded.half))
        as negative_share_high
from bounded;

comment on view daily_tone is
'One row per local day and subject: share of negative messages with its 95 % interval. Read the '
'interval, not the share. Figures of fewer than ten pseudonyms are null.';
comment on column daily_tone.negative_share is '0..1 of the messages with a tone.';
comment on column daily_tone.undetermined_count is 'Messages of which the model said nothing.';
comment on column daily_tone.day_on is 'The day at the institution.';
comment on column daily_tone.subject_id is 'The watched subject, as in vigie.toml.';
comment on column daily_tone.is_suppressed is 'Fewer than ten pseudonyms: figures held back.';
comment on column daily_tone.scored_count is
'Messages with a tone, undetermined ones left out; null where held back.';
comment on column daily_tone.negative_count is 'Messages in a negative tone; null where held back.';
comment on column daily_tone.neutral_count is 'Messages in a neutral tone; null where held back.';
comment on column daily_tone.positive_count is 'Messages in a positive tone; null where held back.';
comment on column daily_tone.negative_share_low is 'Lower end of its 95 % interval (Wilson), 0..1.';
comment on column daily_tone.negative_share_high is
'Upper end of its 95 % interval (Wilson), 0..1.';
