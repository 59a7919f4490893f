-- Purpose: which places each message names, and what they lie within.
-- Published: yes.
-- Grain: one row per live mention and place that its text names; a mention that names none has no
--   row. Reads: mention_scored, place.
-- Units: codes are a level and an INSEE code (commune:37261).
-- Caveat: what a text names, never where its author is. Only the finest level that is sure is
--   stored: to count a department with its communes, group by `departement_code`, not by
--   `place_code`. A message names several places: never add them up. Says nothing about an author.
create or replace view mention_place as
with named as (
    select
        mention_scored.mention_id,
        mention_scored.published_at,
        mention_scored.day_on,
        mention_scored.network,
        mention_scored.subject_ids,
        mention_scored.is_own,
        mention_scored.sentiment,
        unnest(mention_scored.place_codes) as place_code
    from mention_scored
)

select
    named.*,
    place.level,
    place.name,
    place.commune_code,
    place.departement_code,
    place.region_code,
    commune.name as commune_name,
    departement.name as departement_name,
    region.name as region_name
from named
inner join place on named.place_code = place.place_code
left join place as commune on place.commune_code = commune.place_code
left join place as departement on place.departement_code = departement.place_code
left join place as region on place.region_code = region.place_code;

comment on view mention_place is
'One row per live message and place that its text names, with what the place lies within. Count '
'messages with count(distinct mention_id): one may name several places.';
comment on column mention_place.place_code is 'The finest level that is sure: commune:37261.';
comment on column mention_place.level is 'arrondissement, commune, departement or region.';
comment on column mention_place.departement_code is
'The department that the place is or lies within; null for a region.';
comment on column mention_place.mention_id is
'Key of the message; the same in every table. Says nothing about who wrote it.';
comment on column mention_place.published_at is 'UTC.';
comment on column mention_place.day_on is 'The day at the institution.';
comment on column mention_place.network is 'Where it was published: mastodon, bluesky, press, …';
comment on column mention_place.subject_ids is 'Every watched subject the message names.';
comment on column mention_place.is_own is 'Posted by the institution itself.';
comment on column mention_place.sentiment is
'negative, neutral, positive, undetermined; null when not scored.';
comment on column mention_place.name is 'Name of the place.';
comment on column mention_place.commune_code is
'The commune that the place is or lies within; null above it.';
comment on column mention_place.region_code is 'The region that the place is or lies within.';
comment on column mention_place.commune_name is 'Name of that commune.';
comment on column mention_place.departement_name is 'Name of that department.';
comment on column mention_place.region_name is 'Name of that region.';
