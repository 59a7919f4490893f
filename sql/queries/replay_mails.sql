-- Question: what would a replay have sent?
-- Purpose: the mails of a backtest. Grain: one row per message to one recipient. Reads: outbox.
-- Read by: pipelines/backtest_mentions.py. Units: `told_at` is UTC.
select
    created_at as told_at,
    kind,
    reason,
    channel,
    recipient,
    incident_id
from outbox
order by created_at, kind, recipient, incident_id, channel, reason;
