-- Purpose: one slice of a run's scores: those that say something new of a live mention.
-- Grain: one row per mention of the slice; the columns of `score`.
-- Reads: incoming_score (an Arrow table that pipelines/load.py registers, with `row_number` of
--   the file), known_key, mention, score. Read by: writes/merge_score.
-- Caveat: a score counts only for the text that the warehouse holds (`text_hash`); that of an
--   older, refused or cut text is left out. Of two rows with one key the last counts. A new title
--   changes what was read but not the hash, so that the answers are compared too.
create or replace temp table changed_score as
with fitting as (
    select
        incoming.mention_id,
        incoming.scorer_id,
        incoming.text_hash,
        incoming.lang,
        incoming.p_negative,
        incoming.p_neutral,
        incoming.p_positive,
        incoming.sentiment,
        incoming.sentiment_score,
        incoming.topics,
        incoming.topic_p,
        incoming.subtopics,
        incoming.acts,
        incoming.act_p,
        incoming.risk,
        incoming.p_irony,
        incoming.p_political,
        incoming.aspects,
        incoming.scored_at,
        mention.published_at
    from incoming_score as incoming
    inner join known_key on incoming.mention_id = known_key.mention_id
    inner join mention
        on
            known_key.published_at = mention.published_at
            and known_key.mention_id = mention.mention_id
            and incoming.text_hash = mention.text_hash
    where mention.deleted_at is null
    qualify
        row_number() over (
            partition by incoming.mention_id order by incoming.row_number desc
        ) = 1
)

select fitting.*
from fitting
left join score
    on
        fitting.published_at = score.published_at
        and fitting.mention_id = score.mention_id
where
    score.mention_id is null
    or score.text_hash != fitting.text_hash
    or score.scorer_id != fitting.scorer_id
    or score.sentiment != fitting.sentiment
    or score.topics is distinct from fitting.topics
    or score.acts is distinct from fitting.acts
    or score.risk is distinct from fitting.risk;
