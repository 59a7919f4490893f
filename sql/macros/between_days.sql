-- Purpose: the messages of a span of local days, both ends in it.
-- Use: from between_days('2026-10-01', '2026-10-07'). Reads: mention_public, about.
-- Units: days at the institution. Caveat: an end before its start keeps nothing.
create or replace macro between_days(first_on, last_on) as table  -- noqa: disable=RF02,RF03
    select mention_public.*
    from mention_public
    where
        mention_public.published_at >= (
            select timezone(about.time_zone, cast(first_on as timestamp))
            from about
        )
        and mention_public.published_at < (
            select timezone(about.time_zone, cast(last_on as timestamp) + interval '1 day')
            from about
        );
