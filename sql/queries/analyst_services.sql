-- Question: which services are complained about, and in what tone are they spoken of?
-- Purpose: each public service over thirty days: messages, complaints, tone.
-- Grain: one row per service, with its labels. Reads: mention_public, service, about.
-- Read by: analysts.
-- Units: counts; `complaint_share` 0..1 of the service's messages, `negative_share` 0..1 of those
--   with a tone, with its interval (Wilson).
-- Caveat: a message speaks of several services. Where it has one tone towards each, that one
--   counts, else the message's. Fewer than ten messages are left out.
with named as (
    select
        mention_public.acts,
        mention_public.sentiment,
        unnest(mention_public.aspects) as aspect
    from mention_public
    cross join about
    where
        mention_public.published_at >= about.made_at - interval '30 days'
        and not mention_public.is_own
),

told as (
    select
        split_part(named.aspect, ':', 1) as service,
        coalesce(nullif(split_part(named.aspect, ':', 2), ''), named.sentiment) as tone,
        coalesce(list_contains(named.acts, 'complaint'), false) as is_complaint
    from named
),

counted as (
    select
        told.service,
        count(*) as mention_count,
        count(*) filter (where told.is_complaint) as complaint_count,
        count(*) filter (where told.tone in ('negative', 'neutral', 'positive')) as n,
        count(*) filter (where told.tone = 'negative') as k
    from told
    group by told.service
)

select
    counted.service,
    service.label_fr,
    service.label_en,
    counted.mention_count,
    counted.complaint_count,
    round(counted.complaint_count / counted.mention_count, 3) as complaint_share,
    round(counted.k / nullif(counted.n, 0), 3) as negative_share,
    round(share_low(counted.k, counted.n), 3) as low,
    round(share_high(counted.k, counted.n), 3) as high
from counted
left join service on counted.service = service.service_id
where counted.mention_count >= 10
order by counted.complaint_count desc, counted.service asc;
