-- Question: did the tone of each subject change in the last two weeks?
-- Purpose: the share of negative messages by day, with its interval and the number behind it.
-- Grain: one row per local day and subject. Reads: daily_tone, about. Read by: analysts.
-- Units: shares are 0..1 of the messages with a tone; the interval is Wilson's, 95 %.
-- Caveat: intervals that overlap are no change. Days of fewer than ten pseudonyms are null.
select
    daily_tone.day_on,
    daily_tone.subject_id,
    daily_tone.scored_count,
    daily_tone.undetermined_count,
    round(daily_tone.negative_share, 2) as negative_share,
    round(daily_tone.negative_share_low, 2) as low,
    round(daily_tone.negative_share_high, 2) as high
from daily_tone
cross join about
where daily_tone.day_on > cast(timezone(about.time_zone, about.made_at) as date) - 14
order by daily_tone.subject_id, daily_tone.day_on;
