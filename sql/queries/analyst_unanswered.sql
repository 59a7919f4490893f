-- Question: which questions still wait for an answer?
-- Purpose: the oldest questions and requests of two weeks without a public answer, to answer them.
-- Grain: one row per message. Reads: answer_time, mention_public, about. Read by: analysts.
-- Units: `waited_hours` up to the file's making.
-- Caveat: answered elsewhere is not seen; a model read that it asks, and it errs. Own posts must be
--   read by a source, or everything waits here.
select
    answer_time.network,
    answer_time.published_at,
    answer_time.acts,
    answer_time.mention_id,
    date_diff('hour', answer_time.published_at, about.made_at) as waited_hours,
    left(mention_public.text, 200) as said
from answer_time
inner join mention_public
    on
        answer_time.published_at = mention_public.published_at
        and answer_time.mention_id = mention_public.mention_id
cross join about
where
    answer_time.published_at >= about.made_at - interval '14 days'
    and answer_time.answered_at is null
    and list_has_any(answer_time.acts, ['question', 'request'])
order by answer_time.published_at asc, answer_time.mention_id asc
limit 100;
