-- Question: which towns, departments and regions are named, and in what tone?
-- Purpose: the places named over the last thirty days, each with all that lies within it.
-- Grain: one row per place. Reads: mention_place, about. Read by: analysts.
-- Units: counts of messages; `negative_share` is 0..1 of those with a tone.
-- Caveat: a message that names two towns of a department counts once for it. Own posts do not
--   count. Ten messages are no ten people: a place of few messages says nothing.
with recent as (
    select mention_place.*
    from mention_place
    cross join about
    where
        mention_place.day_on > cast(timezone(about.time_zone, about.made_at) as date) - 30
        and not mention_place.is_own
),

placed as (
    select
        'commune' as level,
        recent.commune_code as place_code,
        recent.commune_name as name,
        recent.mention_id,
        recent.sentiment
    from recent
    where recent.commune_code is not null
    union distinct
    select
        'departement' as level,
        recent.departement_code as place_code,
        recent.departement_name as name,
        recent.mention_id,
        recent.sentiment
    from recent
    where recent.departement_code is not null
    union distinct
    select
        'region' as level,
        recent.region_code as place_code,
        recent.region_name as name,
        recent.mention_id,
        recent.sentiment
    from recent
)

select
    placed.level,
    placed.place_code,
    placed.name,
    count(*) as mention_count,
    round(
        count(*) filter (where placed.sentiment = 'negative')
        / nullif(count(*) filter (where placed.sentiment != 'undetermined'), 0),
        2
    ) as negative_share
from placed
group by placed.level, placed.place_code, placed.name
having count(*) >= 10
order by placed.level asc, mention_count desc, placed.place_code asc, placed.name asc;
