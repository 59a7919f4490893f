-- Question: which pages about us were read or fought over more than usual?
-- Purpose: days on which a page drew attention. Grain: one row per page and day with a reading
--   twice the usual, or with a revert; the last four weeks measured.
-- Reads: attention_daily. Read by: analysts.
-- Units: readings and changes a day (UTC). Caveat: attention is no opinion; see what happened that
--   day before you say why.
with thresholds as (
    select
        28 as days,
        2.0 as much
),

latest as (
    select max(attention_daily.day_on) as day_on
    from attention_daily
)

select
    attention_daily.day_on,
    attention_daily.about,
    attention_daily.view_count,
    attention_daily.usual_view_count,
    attention_daily.view_ratio,
    attention_daily.edit_count,
    attention_daily.revert_count,
    attention_daily.url
from attention_daily
cross join thresholds
cross join latest
where
    attention_daily.day_on > latest.day_on - thresholds.days
    and (attention_daily.view_ratio >= thresholds.much or attention_daily.revert_count > 0)
order by
    attention_daily.day_on desc,
    attention_daily.view_ratio desc nulls last,
    attention_daily.about asc,
    attention_daily.url asc;
