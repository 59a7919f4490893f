-- Purpose: what the institution itself posted, and what each post drew.
-- Published: yes.
-- Grain: one row per live own post. Reads: mention_scored, mention.
-- Units: counts at the last look; `reaction_count` adds likes, replies, shares and quotes, null
--   where the source tells none; `engagement_rate` is reactions by view, 0..1, null where the
--   source tells no views; `hour_of_day` and `day_on` are local, weekday 1 is Monday.
-- Caveat: networks count differently: compare within a network only. A recent post has had less
--   time. What draws reactions is not what is good: a bad day draws most.
create or replace view own_post as
with posted as (
    select
        mention_scored.*,
        timezone(
            coalesce((select any_value(institution.time_zone) from institution), 'Europe/Paris'),
            mention_scored.published_at
        ) as local_at
    from mention_scored
    where mention_scored.is_own
),

shown as (
    select
        mention.mention_id,
        mention.published_at,
        case
            when list_contains(mention.media_types, 'video') then 'video'
            when list_has_any(mention.media_types, ['image', 'gif']) then 'image'
            when list_contains(mention.media_types, 'audio') then 'audio'
            when len(mention.urls) > 0 then 'link'
            else 'text'
        end as format
    from mention
    where mention.is_own
),

counted as (
    select
        posted.*,
        shown.format,
        if(
            coalesce(
                posted.like_count, posted.reply_count, posted.share_count, posted.quote_count
            ) is null,
            null,
            coalesce(posted.like_count, 0)
            + coalesce(posted.reply_count, 0)
            + coalesce(posted.share_count, 0)
            + coalesce(posted.quote_count, 0)
        ) as reaction_count
    from posted
    inner join shown
        on posted.published_at = shown.published_at and posted.mention_id = shown.mention_id
)

select
    counted.mention_id,
    counted.published_at,
    counted.day_on,
    counted.network,
    counted.source_name,
    counted.content_type,
    counted.url,
    counted.format,
    counted.topics as topic_ids,
    counted.like_count,
    counted.reply_count,
    counted.share_count,
    counted.quote_count,
    counted.view_count,
    counted.reaction_count,
    isodow(counted.local_at) as weekday,
    hour(counted.local_at) as hour_of_day,
    counted.reaction_count / nullif(counted.view_count, 0) as engagement_rate
from counted;

comment on view own_post is
'One row per live post of the institution with what it drew. Compare within a network only.';
comment on column own_post.url is 'Address of the post.';
comment on column own_post.format is 'video, image, audio, link or text: the first that it has.';
comment on column own_post.topic_ids is 'T01 to T20, see the table topic; null when not scored.';
comment on column own_post.reaction_count is
'Likes, replies, shares and quotes together; null where the source tells none of them.';
comment on column own_post.weekday is '1 Monday to 7 Sunday, local.';
comment on column own_post.hour_of_day is '0 to 23, local.';
comment on column own_post.engagement_rate is
'Reactions by view, 0..1; null where the source tells no views.';
comment on column own_post.mention_id is
'Key of the message; the same in every table. Says nothing about who wrote it.';
comment on column own_post.published_at is 'UTC.';
comment on column own_post.day_on is 'The day at the institution.';
comment on column own_post.network is 'Where it was published: mastodon, bluesky, press, …';
comment on column own_post.source_name is 'Name of the source block in vigie.toml.';
comment on column own_post.content_type is 'post, reply, comment, review or article.';
comment on column own_post.like_count is
'Likes at the last look; null where the source tells none.';
comment on column own_post.reply_count is
'Replies at the last look; null where the source tells none.';
comment on column own_post.share_count is
'Shares at the last look; null where the source tells none.';
comment on column own_post.quote_count is
'Quotes at the last look; null where the source tells none.';
comment on column own_post.view_count is
'Views at the last look; null where the source tells none.';
