-- Purpose: the proof of an expiry or an erasure: when, and how much went. Never whose.
-- Grain: one row per expiry or erasure. Writes: receipt.
-- Caveat: a second call for the same moment leaves the first receipt as it is.
merge into receipt
using (select cast($receipt_id as varchar) as receipt_id) as incoming
    on receipt.receipt_id = incoming.receipt_id
when not matched then insert (receipt_id, kind, made_at, detail) values (
    incoming.receipt_id, $kind, $made_at, $detail
);
