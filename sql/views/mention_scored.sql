-- Purpose: every mention that counts, with what the models said of it.
-- Grain: one row per live mention (not deleted, no opt-out); the score's columns are null where
--   nothing has been scored yet.
-- Reads: mention, score, institution. Read by: every other view, sql/alerts, the digest.
-- Units: times are UTC; `day_on` is the day at the institution; shares and `p_…` are 0..1.
-- Caveat: holds no author, on purpose: a message has a topic, a person never has one. Readers of
--   tone and volume leave out `is_own`, what the institution itself posted. `scopes` is what an
--   alert may be about: topic ids, act:claim, act:gather, risk:illicit, service:… of what is
--   complained of, question:… of what is asked about (a topic or a service). Filter on
--   `published_at`, not on `day_on`: only the former lets DuckDB skip the rest of history.
create or replace view mention_scored as
select
    mention.mention_id,
    mention.source,
    mention.source_name,
    mention.source_instance,
    mention.network,
    mention.content_type,
    mention.subject_ids,
    mention.query_versions,
    mention.url,
    mention.title,
    mention.content_warning,
    mention.text,
    mention.words,
    mention.text_hash,
    mention.text_expired_at,
    mention.retention_until as text_until_on,
    mention.lang,
    mention.published_at,
    mention.is_own,
    mention.relay_id,
    mention.place_codes,
    mention.like_count,
    mention.reply_count,
    mention.share_count,
    mention.quote_count,
    mention.view_count,
    score.sentiment,
    score.sentiment_score,
    score.p_negative,
    score.p_neutral,
    score.p_positive,
    score.topics,
    score.topic_p,
    score.subtopics,
    score.acts,
    score.act_p,
    score.risk,
    score.p_irony,
    score.p_political,
    score.aspects,
    score.scorer_id,
    cast(
        timezone(
            coalesce((select any_value(institution.time_zone) from institution), 'Europe/Paris'),
            mention.published_at
        ) as date
    ) as day_on,
    timezone('UTC', date_trunc('hour', timezone('UTC', mention.published_at))) as hour_at,
    list_concat(
        coalesce(score.topics, []),
        if(list_contains(score.acts, 'claim'), ['act:claim'], []),
        if(
            list_contains(score.acts, 'question'),
            list_transform(
                list_distinct(list_concat(
                    coalesce(score.topics, []),
                    list_transform(
                        coalesce(score.aspects, []),
                        lambda a: split_part(a, ':', 1)  -- noqa: RF02
                    )
                )),
                lambda about: 'question:' || about  -- noqa: RF02
            ),
            []
        ),
        if(list_contains(score.acts, 'gather'), ['act:gather'], []),
        if(score.risk = 'illicit suspected', ['risk:illicit'], []),
        list_transform(
            list_filter(
                if(list_contains(score.acts, 'complaint'), score.aspects, []),
                lambda a: not suffix(a, ':positive')  -- noqa: RF02
            ),
            lambda a: 'service:' || split_part(a, ':', 1)  -- noqa: RF02
        )
    ) as scopes
from mention
left join score
    on
        mention.mention_id = score.mention_id
        and mention.published_at = score.published_at -- lets DuckDB skip the other days' scores
where mention.deleted_at is null and not mention.optout;

comment on view mention_scored is
'One row per live mention with its score; no author. Times UTC, day_on local. Leave out is_own in '
'statistics of tone and volume.';
