-- Purpose: which questions people put to the institution, and when it answered.
-- Grain: one row per question of the seven days: under an own post, or naming an own account.
-- Reads: mention, score. Read by: pipelines/engagement.py, analysts.
-- Parameters: $week (seven days before the day's end), $before (four weeks before the day), $until
--   (UTC, half open), $as_of, $handles: the institution's own accounts, folded, without @.
-- Units: `answered_at` is the first own reply right under the question, known at $as_of; null
--   where none was heard. A question is what the model of acts says is one.
-- Caveat: an answer by telephone, in private or elsewhere in the thread is not known, nor is one
--   where the institution's own posts are not collected. Holds no author.
with bounds as (
    select
        cast($week as timestamptz) as since_at,
        cast($until as timestamptz) as until_at,
        cast($handles as varchar[]) as handles
),

own as (
    select
        mention_id,
        network,
        native_id,
        parent_native_id,
        published_at
    from mention
    where
        is_own and deleted_at is null
        and published_at >= $before and published_at < $as_of
        and first_seen_at <= $as_of
),

replies as (
    select
        network,
        parent_native_id as native_id,
        min(published_at) as answered_at,
        arg_min(mention_id, (published_at, mention_id)) as answer_id
    from own
    where parent_native_id is not null
    group by network, parent_native_id
)

select
    mention.mention_id,
    mention.url,
    mention.network,
    mention.published_at,
    replies.answered_at,
    replies.answer_id,
    left(mention.text, 2000) as text
from mention
cross join bounds
inner join score
    on mention.mention_id = score.mention_id and mention.published_at = score.published_at
left join replies
    on
        mention.network = replies.network
        and mention.native_id = replies.native_id
        and mention.published_at <= replies.answered_at
where
    mention.published_at >= bounds.since_at and mention.published_at < bounds.until_at
    and not mention.is_own and not mention.optout and mention.deleted_at is null
    and list_contains(score.acts, 'question')
    and (
        list_has_any(mention.mentioned_handles, bounds.handles)
        or exists (
            select 1
            from own
            where
                own.network = mention.network
                and own.native_id in (mention.parent_native_id, mention.root_native_id)
        )
    )
order by mention.published_at asc, mention.mention_id asc;
