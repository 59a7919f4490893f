-- Purpose: the texts of a day, each once, with when and where it was said.
-- Grain: one row per distinct text; the most copied first.
-- Reads: mention_scored. Read by: pipelines/digest.py (stories, claims, requests), analysts.
-- Parameters: $since, $until (UTC, half open), $most: how many texts at most; $subject_id and
--   $scope: of one subject and scope only (null, 'all': of every one), as an incident's.
-- Units: `hours` and `origins` count mentions; an origin is a network or, for press, forums and
--   the web, a site. `mention_ids` are the first ones, ten at most.
-- Caveat: holds no author. Texts that have expired are left out.
with mentions as (
    select
        *,
        case
            when network in ('press', 'web', 'forum')
                then coalesce(
                    nullif(
                        regexp_extract(
                            lower(url), '^https?://(?:[^/?#]*@)?(?:www\.)?([^/:?#]+)', 1
                        ),
                        ''
                    ),
                    source_name
                )
            else network
        end as origin
    from mention_scored
    where
        published_at >= $since and published_at < $until
        and not is_own
        and text_expired_at is null
        and text <> ''
        and (cast($subject_id as varchar) is null or list_contains(subject_ids, $subject_id))
        and (cast($scope as varchar) = 'all' or list_contains(scopes, $scope))
)

select
    text_hash,
    arg_min(mention_id, (published_at, mention_id)) as mention_id,
    left(any_value(text), 2000) as text,
    arg_min(title, (published_at, mention_id)) as title,
    arg_min(url, (published_at, mention_id)) as url,
    arg_min(network, (published_at, mention_id)) as network,
    arg_min(origin, (published_at, mention_id)) as first_origin,
    arg_min(relay_id, (published_at, mention_id)) as relay_id,
    arg_min(content_type, (published_at, mention_id)) as content_type,
    min(published_at) as first_at,
    count(*) as mention_count,
    max(sentiment) as sentiment,
    arg_min(topics, (published_at, mention_id)) as topics,
    histogram(hour_at) as hours,
    histogram(origin) as origins,
    list(mention_id order by published_at, mention_id)[1:10] as mention_ids
from mentions
group by text_hash
order by mention_count desc, text_hash asc
limit $most;
