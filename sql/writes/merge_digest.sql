-- Purpose: keep what a digest said, so that tomorrow's can compare; a second making replaces it.
-- Grain: one row per local day and locale.
-- Reads: nothing but its parameters. Run by: pipelines/digest.py.
merge into digest as kept
using (
    select
        cast($day as date) as day_on,
        cast($locale as varchar) as locale,
        cast($risk_level as varchar) as risk_level,
        cast($reason as varchar) as reason,
        cast($body as varchar) as body,
        cast($made_at as timestamptz) as made_at
) as made
    on kept.day_on = made.day_on and kept.locale = made.locale
when matched then
    update
        set
            risk_level = made.risk_level,
            reason = made.reason,
            body = made.body,
            made_at = made.made_at
when not matched then
    insert (day_on, locale, risk_level, reason, body, made_at)
    values (made.day_on, made.locale, made.risk_level, made.reason, made.body, made.made_at);
