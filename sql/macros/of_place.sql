-- Purpose: the messages that name a place or one that lies within it.
-- Use: from of_place('departement:37'). Reads: mention_public, mention_place.
-- Units: a level and an INSEE code. Caveat: what a text names, never where its author is.
create or replace macro of_place(code) as table  -- noqa: disable=RF02,RF03
    select mention_public.*
    from mention_public
    where
        mention_public.mention_id in (
            select mention_place.mention_id
            from mention_place
            where
                code in (
                    mention_place.place_code,
                    mention_place.commune_code,
                    mention_place.departement_code,
                    mention_place.region_code
                )
        );
