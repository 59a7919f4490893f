-- Purpose: the stored mentions that an erasure is about.
-- Grain: one row per mention. Reads: mention. Run by: pipelines/erasure.py.
-- Units: `$keys` are mention ids, `$authors` pseudonyms; `$link` is a permalink without scheme,
--   `www.`, fragment and last slash, `$links` the beginnings of an account's permalinks in that
--   form and in lower case. Each may be null or empty.
with addressed as (
    select
        mention.*,
        rtrim(
            regexp_replace(mention.url, '^[a-z]+://(www\.)?|#.*$', '', 'g'), '/'
        ) as link
    from mention
)

select
    addressed.mention_id,
    addressed.source,
    addressed.native_id,
    addressed.published_at,
    addressed.first_seen_at
from addressed
where
    list_contains(cast($keys as varchar[]), addressed.mention_id)
    or list_contains(cast($authors as varchar[]), addressed.author_key)
    or addressed.link = cast($link as varchar)
    or exists (
        select 1
        from unnest(cast($links as varchar[])) as begun (link)
        where starts_with(lower(addressed.link), begun.link)
    );
