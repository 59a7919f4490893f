-- Purpose: the models behind a score, written down when they are first used.
-- Grain: one row per combination of models. Writes: scorer.
merge into scorer
using (select cast($scorer_id as varchar) as scorer_id) as incoming
    on scorer.scorer_id = incoming.scorer_id
when not matched then insert (
    scorer_id, sentiment_model_id, sentiment_weights_sha256, topics_model_id,
    topics_weights_sha256, code_version, thresholds, first_used_at
) values (
    incoming.scorer_id, $sentiment_model_id, $sentiment_weights_sha256, $topics_model_id,
    $topics_weights_sha256, $code_version, $thresholds, $loaded_at
);
