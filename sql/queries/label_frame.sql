-- Question: which messages may be drawn for labelling?
-- Purpose: the frame of a draw, with what the models said. Grain: one row per mention that was
--   first seen after $since, up to $until. Reads: mention, score, scorer, institution's own left
--   out. Read by: pipelines/labelling.py.
-- Units: times are UTC; `p_…` are 0..1, null where no model reads the text; `thresholds` is JSON.
-- Caveat: deleted, opted out and expired ones are left out; copies are all there.
select
    mention.mention_id,
    mention.published_at,
    mention.network,
    mention.text_hash,
    mention.text,
    score.p_negative,
    score.p_neutral,
    score.p_positive,
    score.topic_p,
    score.act_p,
    coalesce(scorer.thresholds, '{}') as thresholds
from mention
inner join score
    on mention.published_at = score.published_at and mention.mention_id = score.mention_id
left join scorer on score.scorer_id = scorer.scorer_id
where
    mention.first_seen_at > $since
    and mention.first_seen_at <= $until
    and mention.deleted_at is null
    and mention.text_expired_at is null
    and mention.text != ''
    and not mention.optout
    and not mention.is_own
order by mention.published_at, mention.mention_id;
