-- Question: what has changed since a decision?
-- Purpose: volume, tone and topics of as many whole days before a day as after it.
-- Grain: one row per subject and topic; topic 'all' is every message of the subject.
-- Reads: daily_volume, daily_tone, daily_topic, about. Read by: analysts.
-- Units: counts of messages and shares 0..1, with the 95 % interval of each share (Wilson).
--   Parameters, as variables: `decided_on` (default: two weeks before the file), `days` (14);
--   `days` of the answer is fewer where the decision is younger.
-- Caveat: after is not because of. Days that were held back count as nothing on both sides. The
--   day itself counts as after, the file's own day not at all. Intervals that overlap are no
--   change; where one side has no message with a tone, nothing tells (null).
with asked as (
    select
        timezone(about.time_zone, about.made_at)::date as made_on,
        coalesce(getvariable('decided_on')::date, made_on - 14) as decided_on,
        least(
            coalesce(getvariable('days')::integer, 14), made_on - decided_on
        )::integer as days
    from about
),

told as (
    select
        daily_tone.day_on,
        daily_tone.subject_id,
        'all' as topic_id,
        daily_volume.mention_count,
        daily_tone.scored_count,
        daily_tone.negative_count
    from daily_tone
    inner join daily_volume
        on
            daily_tone.day_on = daily_volume.day_on
            and daily_tone.subject_id = daily_volume.subject_id
    union all
    select
        daily_topic.day_on,
        daily_topic.subject_id,
        daily_topic.topic_id,
        daily_topic.mention_count,
        daily_topic.scored_count,
        daily_topic.negative_count
    from daily_topic
),

counted as (
    select
        told.subject_id,
        told.topic_id,
        any_value(asked.decided_on) as decided_on,
        any_value(asked.days) as days,
        sum(told.mention_count) filter (where told.day_on < asked.decided_on) as before_count,
        sum(told.mention_count) filter (where told.day_on >= asked.decided_on) as after_count,
        sum(told.scored_count) filter (where told.day_on < asked.decided_on) as before_n,
        sum(told.scored_count) filter (where told.day_on >= asked.decided_on) as after_n,
        sum(told.negative_count) filter (where told.day_on < asked.decided_on) as before_k,
        sum(told.negative_count) filter (where told.day_on >= asked.decided_on) as after_k
    from told
    cross join asked
    where
        told.day_on >= asked.decided_on - asked.days
        and told.day_on < asked.decided_on + asked.days
    group by told.subject_id, told.topic_id
)

select
    counted.decided_on,
    counted.days,
    counted.subject_id,
    counted.topic_id,
    counted.before_count::bigint as before_count,
    counted.after_count::bigint as after_count,
    round(counted.before_k / nullif(counted.before_n, 0), 3) as before_negative,
    round(share_low(counted.before_k, counted.before_n), 3) as before_low,
    round(share_high(counted.before_k, counted.before_n), 3) as before_high,
    round(counted.after_k / nullif(counted.after_n, 0), 3) as after_negative,
    round(share_low(counted.after_k, counted.after_n), 3) as after_low,
    round(share_high(counted.after_k, counted.after_n), 3) as after_high,
    share_low(counted.after_k, counted.after_n) > share_high(counted.before_k, counted.before_n)
    or share_high(counted.after_k, counted.after_n)
    < share_low(counted.before_k, counted.before_n) as has_tone_changed
from counted
order by counted.subject_id asc, counted.topic_id = 'all' desc, counted.topic_id asc;
