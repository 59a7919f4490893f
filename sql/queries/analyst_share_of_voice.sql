-- Question: what part of what is said does each channel carry, and has that part changed?
-- Purpose: share of voice by network, the last thirty days against the thirty before.
-- Grain: one row per subject and network. Reads: network_share, about. Read by: analysts.
-- Units: counts of messages; shares 0..1 of the subject's messages; `change` in points of share.
-- Caveat: days that were held back count as nothing: `held_back_days` says how many. A network on
--   which more sources listen has more to say here.
with counted as (
    select
        network_share.subject_id,
        network_share.network,
        coalesce(sum(network_share.mention_count) filter (
            where
            network_share.day_on > timezone(about.time_zone, about.made_at)::date - 30
        ), 0)::bigint as mention_count,
        coalesce(sum(network_share.mention_count) filter (
            where
            network_share.day_on <= timezone(about.time_zone, about.made_at)::date - 30
        ), 0)::bigint as before_count,
        count(*) filter (where network_share.is_suppressed) as held_back_days
    from network_share
    cross join about
    where network_share.day_on > timezone(about.time_zone, about.made_at)::date - 60
    group by network_share.subject_id, network_share.network
),

shared as (
    select
        counted.*,
        counted.mention_count
        / nullif(sum(counted.mention_count) over (partition by counted.subject_id), 0) as share,
        counted.before_count
        / nullif(sum(counted.before_count) over (partition by counted.subject_id), 0)
            as before_share
    from counted
)

select
    shared.subject_id,
    shared.network,
    shared.mention_count,
    shared.before_count,
    shared.held_back_days,
    round(shared.share, 3) as voice_share,
    round(shared.before_share, 3) as before_share,
    round(shared.share - shared.before_share, 3) as change
from shared
order by shared.subject_id asc, voice_share desc nulls last, shared.network asc;
