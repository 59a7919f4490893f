-- Question: what do messages do: complain, ask, thank?
-- Purpose: the acts of messages, the last seven days against the four weeks before.
-- Grain: one row per act. Reads: mention_public, about. Read by: analysts.
-- Units: shares are 0..1 of the messages that were scored for acts; `ratio` compares shares.
-- Caveat: a message does several things, so shares do not add up. `null` acts were scored before
--   acts were, and are in no share.
with heard as (
    select
        mention_public.acts,
        mention_public.published_at >= about.made_at - interval '7 days' as is_new
    from mention_public
    cross join about
    where
        mention_public.published_at >= about.made_at - interval '35 days'
        and not mention_public.is_own
        and mention_public.acts is not null
),

totals as (
    select
        count(*) filter (where heard.is_new) as new_total,
        count(*) filter (where not heard.is_new) as old_total
    from heard
),

named as (
    select
        heard.is_new,
        unnest(heard.acts) as act
    from heard
)

select
    named.act,
    count(*) filter (where named.is_new) as new_count,
    round(
        count(*) filter (where named.is_new) / nullif(any_value(totals.new_total), 0), 3
    ) as new_share,
    round(
        count(*) filter (where not named.is_new) / nullif(any_value(totals.old_total), 0), 3
    ) as old_share,
    round(new_share / nullif(old_share, 0), 2) as ratio
from named
cross join totals
group by named.act
order by new_count desc, named.act asc;
