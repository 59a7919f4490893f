-- Question: does the attention that our pages get follow what is said?
-- Purpose: readings of the pages of a subject beside its messages, by day, for four weeks.
-- Grain: one row per day and subject. Reads: attention_daily, daily_volume, about.
-- Read by: analysts. Units: readings and messages a day; `mention_ratio` is messages over their
--   median of the span, `view_ratio` readings over theirs.
-- Caveat: readings are of UTC days, messages of local ones: the two differ by an hour or two.
--   Attention is no opinion. Days that were held back are null.
with viewed as (
    select
        attention_daily.day_on,
        attention_daily.subject_id,
        sum(attention_daily.view_count)::bigint as view_count
    from attention_daily
    group by attention_daily.day_on, attention_daily.subject_id
),

beside as (
    select
        viewed.day_on,
        viewed.subject_id,
        viewed.view_count,
        daily_volume.mention_count
    from viewed
    cross join about
    left join daily_volume
        on viewed.day_on = daily_volume.day_on and viewed.subject_id = daily_volume.subject_id
    where viewed.day_on > timezone('UTC', about.made_at)::date - 28
)

select
    beside.day_on,
    beside.subject_id,
    beside.view_count,
    beside.mention_count,
    round(
        beside.view_count / nullif(
            median(beside.view_count) over (partition by beside.subject_id), 0
        ), 2
    ) as view_ratio,
    round(
        beside.mention_count / nullif(
            median(beside.mention_count) over (partition by beside.subject_id), 0
        ), 2
    ) as mention_ratio
from beside
order by beside.subject_id asc, beside.day_on asc;
