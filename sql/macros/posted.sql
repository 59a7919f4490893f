-- Purpose: what the institution posted to open a conversation, with the usual of its network.
-- Use: from posted(days := 90). Reads: own_post, about.
-- Units: those of own_post, days of 24 hours back from about.made_at; `usual_reactions` is the
--   median of the reactions of all these posts of the network.
-- Caveat: replies, comments and reposts are left out: they draw little, and answering more would
--   look like faring worse.
create or replace macro posted(days := 90) as table  -- noqa: disable=RF02,RF03
    select
        own_post.*,
        median(own_post.reaction_count) over (partition by own_post.network) as usual_reactions
    from own_post
    where
        own_post.content_type not in ('reply', 'comment', 'repost')
        and own_post.published_at
        >= (select about.made_at from about) - to_days(cast(days as integer));
