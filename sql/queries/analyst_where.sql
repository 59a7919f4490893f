-- Question: where is each subject talked about, and in what tone?
-- Purpose: the networks of a subject over the last thirty days. Grain: one row per subject and
--   network. Reads: network_share, about. Read by: analysts.
-- Units: counts of messages; `negative_share` is the mean over days, 0..1.
-- Caveat: days that were held back count as nothing: `held_back_days` says how many.
select
    network_share.subject_id,
    network_share.network,
    coalesce(sum(network_share.mention_count), 0) as mention_count,
    round(avg(cast(network_share.negative_share as decimal(9, 6))), 2) as negative_share,
    count(*) filter (where network_share.is_suppressed) as held_back_days
from network_share
cross join about
where network_share.day_on > cast(timezone(about.time_zone, about.made_at) as date) - 30
group by network_share.subject_id, network_share.network
order by network_share.subject_id asc, mention_count desc, network_share.network asc;
