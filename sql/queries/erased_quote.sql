-- Question: by what would a message that quotes an erased post be known?
-- Purpose: find mails that wait. Grain: one row per erased post that is stored. Reads: mention,
--   erased_key (mention_id). Read by: pipelines/erasure.py.
select
    mention.url,
    mention.text
from mention
semi join erased_key on mention.mention_id = erased_key.mention_id
order by mention.mention_id;
