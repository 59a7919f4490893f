-- Question: what has been expired and erased, and when?
-- Purpose: the board's page for the data-protection officer. Grain: one row per receipt.
-- Reads: receipt. Read by: pipelines/board/privacy.py.
-- Parameters: $before (UTC); $most. Caveat: `detail` is JSON of counts; it never says whose.
select
    kind,
    made_at,
    detail
from receipt
where made_at < $before
order by made_at desc, kind asc, receipt_id asc
limit $most;
