-- Purpose: how own posts, and those of chosen institutions, fare by format, time of day and topic.
-- Grain: one row per group ('own', 'compared'), dimension ('all', 'format', 'hour', 'topic') and
--   part of it.
-- Reads: mention, mention_scored (own posts and relays of the allow-list only).
-- Read by: pipelines/engagement.py, analysts.
-- Parameters: $before, $until (UTC, half open), $zone, $compare: relay ids, institutions only.
-- Units: medians of one post each, over posts whose counts are known: replies, shares, and the
--   three together with likes; `rate` is reactions for each view, over posts whose views are known.
-- Caveat: counts as last read; a recent post has had less time. Of the compared only the posts that
--   were heard count. Networks count differently.
with posts as (
    select
        mention_scored.mention_id,
        mention_scored.topics,
        mention_scored.reply_count,
        mention_scored.share_count,
        mention_scored.view_count,
        if(mention_scored.is_own, 'own', 'compared') as who,
        case
            when mention_scored.content_type in ('video', 'article')
                then mention_scored.content_type
            when list_contains(mention.media_types, 'video') then 'video'
            when list_contains(mention.media_types, 'image') then 'image'
            when list_contains(mention.media_types, 'poll') then 'poll'
            when len(mention.urls) > 0 then 'link'
            else 'text'
        end as format,
        case
            when hour(timezone($zone, mention_scored.published_at)) < 6 then 'night'
            when hour(timezone($zone, mention_scored.published_at)) < 11 then 'morning'
            when hour(timezone($zone, mention_scored.published_at)) < 14 then 'midday'
            when hour(timezone($zone, mention_scored.published_at)) < 18 then 'afternoon'
            else 'evening'
        end as part_of_day,
        case
            when
                coalesce(
                    mention_scored.reply_count,
                    mention_scored.share_count,
                    mention_scored.like_count
                ) is not null
                then
                    coalesce(mention_scored.reply_count, 0)
                    + coalesce(mention_scored.share_count, 0)
                    + coalesce(mention_scored.like_count, 0)
        end as reaction_count
    from mention_scored
    inner join mention
        on
            mention_scored.mention_id = mention.mention_id
            and mention_scored.published_at = mention.published_at
    where
        mention_scored.published_at >= $before and mention_scored.published_at < $until
        and mention_scored.content_type not in ('reply', 'comment', 'repost')
        and (
            mention_scored.is_own
            or mention_scored.relay_id in (select unnest(cast($compare as varchar[])))
        )
),

spread as (
    select
        *,
        'all' as dimension,
        'all' as part
    from posts
    union all
    select
        *,
        'format' as dimension,
        format as part
    from posts
    union all
    select
        *,
        'hour' as dimension,
        part_of_day as part
    from posts
    union all
    select
        *,
        'topic' as dimension,
        unnest(topics) as part
    from posts
)

select
    who,
    dimension,
    part,
    count(*) as post_count,
    median(reply_count) as reply_median,
    median(share_count) as share_median,
    median(reaction_count) as reaction_median,
    sum(reaction_count) filter (where view_count > 0)
    / nullif(sum(view_count) filter (where view_count > 0), 0) as rate
from spread
group by who, dimension, part
order by who desc, dimension asc, post_count desc, part asc;
