-- Purpose: what was said in a window about a subject and scope, for the mail that tells of it.
-- Grain: one row per distinct text, those of which the rule names a mention ($named) first, then
--   those with most copies, at most $most.
-- Reads: mention_scored. Read by: pipelines/evidence.py.
-- Units: `copy_count` is mentions of exactly this text in the window; `lang`, `topics` and
--   `sentiment` are those of the first of them.
-- Caveat: a post without a word counts elsewhere and is not shown. Texts are masked already; still
--   they are people's own words.
with spoken as (
    select
        mention_id,
        text_hash,
        text,
        title,
        url,
        network,
        source_instance,
        published_at,
        lang,
        coalesce(topics, []) as topics,
        coalesce(sentiment, 'undetermined') as sentiment,
        list_contains(cast($named as varchar[]), mention_id) as is_named,
        coalesce(like_count, 0) + coalesce(reply_count, 0) + coalesce(share_count, 0) as engagement
    from mention_scored
    where
        published_at >= $since
        and published_at < $until
        and not is_own
        and list_contains(subject_ids, $subject_id)
        and ($scope = 'all' or list_contains(scopes, $scope))
        and (text <> '' or title is not null)
)

select
    cast(sum(engagement) as bigint) as engagement,
    arg_min(mention_id, (published_at, mention_id)) as mention_id,
    arg_min(text, (published_at, mention_id)) as text,
    arg_min(title, (published_at, mention_id)) as title,
    arg_min(url, (published_at, mention_id)) as url,
    arg_min(network, (published_at, mention_id)) as network,
    arg_min(topics, (published_at, mention_id)) as topics,
    arg_min(lang, (published_at, mention_id)) as lang,
    min(published_at) as published_at,
    arg_min(sentiment, (published_at, mention_id)) as sentiment,
    count(*) as copy_count,
    list(distinct coalesce(source_instance, network)) as origins,
    bool_or(is_named) as is_named
from spoken
group by text_hash
order by is_named desc, copy_count desc, engagement desc, mention_id asc
limit $most;
