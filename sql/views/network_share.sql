-- Purpose: where a subject is talked about.
-- Published: yes.
-- Grain: one row per local day, subject and network with a mention. Reads: daily.
-- Units: `mention_share` is 0..1 of the day's messages on the subject.
-- Caveat: networks of fewer than ten pseudonyms are held back, and the next smallest with them
--   until ten are hidden together: otherwise the day's total would give them away.
create or replace view network_share as
with thresholds as (
    select 10 as k
),

ranked as (
    select
        daily.day_on,
        daily.subject_id,
        daily.network,
        daily.mention_count,
        daily.negative_count,
        daily.scored_count,
        daily.author_count,
        sum(daily.mention_count) over (
            partition by daily.day_on, daily.subject_id
        ) as whole_count,
        coalesce(sum(daily.author_count) over (
            partition by daily.day_on, daily.subject_id
            order by daily.author_count, daily.network
            rows between unbounded preceding and 1 preceding
        ), 0) as smaller_count,
        row_number() over (
            partition by daily.day_on, daily.subject_id
            order by daily.author_count, daily.network
        ) as place
    from daily
    where daily.scope = 'all'
)

select
    ranked.day_on,
    ranked.subject_id,
    ranked.network,
    ranked.author_count < thresholds.k
    or (ranked.place > 1 and ranked.smaller_count < thresholds.k) as is_suppressed,
    if(is_suppressed, null, ranked.mention_count) as mention_count,
    if(is_suppressed, null, ranked.mention_count / ranked.whole_count) as mention_share,
    if(is_suppressed, null, ranked.negative_count / nullif(ranked.scored_count, 0))
        as negative_share
from ranked
cross join thresholds;

comment on view network_share is
'One row per local day, subject and network. Small networks are held back so that the total does '
'not give them away: their figures are null.';
comment on column network_share.mention_share is '0..1 of the messages on the subject that day.';
comment on column network_share.day_on is 'The day at the institution.';
comment on column network_share.subject_id is 'The watched subject, as in vigie.toml.';
comment on column network_share.network is 'Where it was published: mastodon, bluesky, press, …';
comment on column network_share.is_suppressed is 'Fewer than ten pseudonyms: figures held back.';
comment on column network_share.mention_count is 'Messages; null where held back.';
comment on column network_share.negative_share is
'0..1 of the messages with a tone; null where held back.';
