-- Purpose: what others said, with the common filters together; each may be left out.
-- Use: from heard(days := 7, subject := 'ville', topic := 'T20', place := 'departement:37').
-- Reads: mention_public, mention_topic, mention_place, about. Units: those of each filter: days of
--   24 hours back from about.made_at, ids of vigie.toml, T01 to T20, INSEE codes with their level.
-- Caveat: own posts are left out; messages that the models did not score have no topic.
create or replace macro heard(  -- noqa: disable=RF02,RF03
    days := null, subject := null, topic := null, place := null
) as table
    select mention_public.*
    from mention_public
    where
        not mention_public.is_own
        and (
            days is null
            or mention_public.published_at
            >= (select about.made_at from about) - to_days(cast(days as integer))
        )
        and (
            subject is null
            or list_contains(mention_public.subject_ids, subject)
        )
        and (
            topic is null
            or mention_public.mention_id in (
                select mention_topic.mention_id
                from mention_topic
                where mention_topic.topic_id = topic
            )
        )
        and (
            place is null
            or mention_public.mention_id in (
                select mention_place.mention_id
                from mention_place
                where
                    place in (
                        mention_place.place_code,
                        mention_place.commune_code,
                        mention_place.departement_code,
                        mention_place.region_code
                    )
            )
        );
