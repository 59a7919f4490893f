-- Purpose: the posts of a source block to look up again now, within what is left of its budget.
-- Grain: one row per post. Reads: recheck_plan, recheck. Read by: pipelines/load.py.
-- Units: `$since` is the oldest publication that is looked up at all; `$most` posts are looked up
--   in a quarter of an hour, those of the last quarter included, whoever asked for them.
-- Caveat: first what is not known to be read lawfully yet, then what is latest for its age: with
--   too small a budget the young still come before the old.
with spent as (
    select count(*) as asked_count
    from recheck
    where
        recheck.source_name = cast($source_name as varchar)
        and recheck.asked_at > cast($as_of as timestamptz) - interval '15 minutes'
),

due as (
    select
        recheck_plan.native_id,
        recheck_plan.lookup_id,
        row_number() over (
            order by
                recheck_plan.is_unread desc,
                epoch(cast($as_of as timestamptz) - recheck_plan.due_at)
                / epoch(recheck_plan.wait) desc,
                recheck_plan.native_id asc
        ) as place
    from recheck_plan
    where
        recheck_plan.source_name = cast($source_name as varchar)
        and recheck_plan.published_at >= cast($since as timestamptz)
        and recheck_plan.due_at <= cast($as_of as timestamptz)
)

select
    due.native_id,
    due.lookup_id
from due
cross join spent
where due.place <= cast($most as bigint) - spent.asked_count
order by due.place;
