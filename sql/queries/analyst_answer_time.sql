-- Question: how fast do we answer those who write to us, and how many wait in vain?
-- Purpose: response time to citizens by network, over thirty days.
-- Grain: one row per network. Reads: answer_time, about. Read by: analysts.
-- Units: minutes from the message to our first public answer; shares 0..1 of the messages that
--   asked, requested or complained.
-- Caveat: only answers in public that the source ties to a message; those given by telephone are
--   not seen. The last messages have had less time: read `answered_in_day_share`, of messages
--   older than a day.
select
    answer_time.network,
    count(*) as asked_count,
    count(answer_time.answered_at) as answered_count,
    round(count(answer_time.answered_at) / count(*), 3) as answered_share,
    round(
        count(*) filter (
            where
            answer_time.answer_minutes <= 1440
            and answer_time.published_at <= about.made_at - interval '1 day'
        )
        / nullif(count(*) filter (
            where answer_time.published_at <= about.made_at - interval '1 day'
        ), 0), 3
    ) as answered_in_day_share,
    median(answer_time.answer_minutes) as median_minutes,
    quantile_cont(answer_time.answer_minutes, 0.9) as p90_minutes
from answer_time
cross join about
where answer_time.published_at >= about.made_at - interval '30 days'
group by answer_time.network
order by asked_count desc, answer_time.network asc;
