-- Purpose: the messages about a topic.
-- Use: from of_topic('T20'). Reads: mention_public, mention_topic.
-- Units: T01 to T20, see the table topic. Caveat: a message has several topics, so what two of them
--   keep overlaps; what the models did not score is never kept.
create or replace macro of_topic(id) as table  -- noqa: disable=RF02,RF03
    select mention_public.*
    from mention_public
    where
        mention_public.mention_id in (
            select mention_topic.mention_id
            from mention_topic
            where mention_topic.topic_id = id
        );
