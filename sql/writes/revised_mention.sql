-- Purpose: what the known mentions of the slice become.
-- Grain: one row per mention that is known and not deleted; every column of `mention`.
-- Reads: mention, incoming_mention, staged_key, known_key.
-- Read by: writes/merge_mention, writes/merge_sighting.
-- Caveat: what a source leaves out (null) never empties what is known. An older sighting adds
--   subjects and nothing else. Text that has expired stays empty; a text cut short, or none at
--   all, never replaces a whole one. A new text names what it names and no longer what the old one
--   did, but for subjects that come from elsewhere (its block, its author, what it stands under);
--   the versions that answered only ever grow. First sight, key, author and publication stay as
--   they were.
create or replace temp table kept_mention as
with keys as (
    select known_key.*
    from known_key
    semi join staged_key on known_key.mention_id = staged_key.mention_id
)

select mention.*
from mention
inner join keys
    on mention.published_at = keys.published_at and mention.mention_id = keys.mention_id
where mention.deleted_at is null;

create or replace temp table revised_mention as
with staged as (
    select
        incoming.* exclude (incoming.row_number)
        replace (
            staged_key.subject_ids as subject_ids, staged_key.query_versions as query_versions
        )
    from incoming_mention as incoming
    inner join staged_key on incoming.row_number = staged_key.row_number
    semi join kept_mention on incoming.mention_id = kept_mention.mention_id
),

pair as (
    select
        staged.mention_id,
        staged.last_seen_at >= kept_mention.last_seen_at as is_newer,
        kept_mention.text_expired_at is not null
        or staged.text = ''
        or (staged.text_truncated and not kept_mention.text_truncated) as has_lasting_text,
        coalesce(staged.metrics_at >= kept_mention.metrics_at, true) as has_newer_counts,
        staged.text != kept_mention.text
        or staged.title != coalesce(kept_mention.title, '')
        or coalesce(staged.content_warning, '') != coalesce(kept_mention.content_warning, '')
            as has_other_text,
        -- What a title says that is not told again stands in no subject offered.
        staged.title is not null or kept_mention.title is null as is_told_whole
    from staged
    inner join kept_mention on staged.mention_id = kept_mention.mention_id
),

-- An older sighting offers what is kept already, but for its subjects.
offer as (
    select staged.*
    from staged
    semi join pair on staged.mention_id = pair.mention_id and pair.is_newer
    union all by name
    select
        kept_mention.* replace (
            staged.subject_ids as subject_ids, staged.query_versions as query_versions
        )
    from kept_mention
    inner join staged on kept_mention.mention_id = staged.mention_id
    semi join pair on kept_mention.mention_id = pair.mention_id and not pair.is_newer
),

merged as (
    select
        kept.* replace (
            coalesce(offer.source_instance, kept.source_instance) as source_instance,
            coalesce(offer.native_version, kept.native_version) as native_version,
            offer.content_type as content_type,
            list_sort(list_distinct(list_concat(
                case
                    when
                        pair.is_newer
                        and not pair.has_lasting_text
                        and pair.has_other_text
                        and pair.is_told_whole
                        then list_filter(
                            kept.subject_ids,
                            lambda s: kept.query_versions is null  -- noqa: RF02
                            or list_has_any(
                                kept.query_versions,
                                [s || '@given', s || '@own', s || '@under']  -- noqa: RF02
                            )
                        )
                    else kept.subject_ids
                end,
                offer.subject_ids
            ))) as subject_ids,
            list_sort(
                list_distinct(
                    list_concat(coalesce(kept.query_versions, []), offer.query_versions)
                )
            ) as query_versions,
            coalesce(offer.url, kept.url) as url,
            if(pair.has_lasting_text, kept.title, coalesce(offer.title, kept.title)) as title,
            if(pair.has_lasting_text, kept.content_warning, offer.content_warning)
                as content_warning,
            if(pair.has_lasting_text, kept.text, offer.text) as text,
            case
                when pair.has_lasting_text then kept.words
                -- A title that is kept though it is not told again stands in no words offered.
                when offer.title is null and kept.title is not null then null
                else offer.words
            end as words,
            if(pair.has_lasting_text, kept.text_truncated, offer.text_truncated) as text_truncated,
            if(pair.has_lasting_text, kept.text_hash, offer.text_hash) as text_hash,
            if(pair.has_lasting_text, kept.lang, offer.lang) as lang,
            coalesce(offer.lang_declared, kept.lang_declared) as lang_declared,
            coalesce(offer.edited_at, kept.edited_at) as edited_at,
            greatest(kept.last_seen_at, offer.last_seen_at) as last_seen_at,
            greatest(kept.metrics_at, offer.metrics_at) as metrics_at,
            coalesce(kept.author_key, offer.author_key) as author_key,
            coalesce(offer.author_kind, kept.author_kind) as author_kind,
            coalesce(offer.relay_id, kept.relay_id) as relay_id,
            offer.is_own as is_own,
            coalesce(offer.thread_id, kept.thread_id) as thread_id,
            coalesce(offer.parent_native_id, kept.parent_native_id) as parent_native_id,
            coalesce(offer.root_native_id, kept.root_native_id) as root_native_id,
            coalesce(offer.quoted_native_id, kept.quoted_native_id) as quoted_native_id,
            coalesce(offer.community, kept.community) as community,
            if(
                pair.has_newer_counts, coalesce(offer.like_count, kept.like_count), kept.like_count
            ) as like_count,
            if(
                pair.has_newer_counts,
                coalesce(offer.reply_count, kept.reply_count),
                kept.reply_count
            ) as reply_count,
            if(
                pair.has_newer_counts,
                coalesce(offer.share_count, kept.share_count),
                kept.share_count
            ) as share_count,
            if(
                pair.has_newer_counts,
                coalesce(offer.quote_count, kept.quote_count),
                kept.quote_count
            ) as quote_count,
            if(
                pair.has_newer_counts, coalesce(offer.view_count, kept.view_count), kept.view_count
            ) as view_count,
            if(
                pair.has_newer_counts,
                coalesce(offer.bookmark_count, kept.bookmark_count),
                kept.bookmark_count
            ) as bookmark_count,
            if(
                pair.has_newer_counts,
                coalesce(offer.platform_score, kept.platform_score),
                kept.platform_score
            ) as platform_score,
            coalesce(offer.rating_value, kept.rating_value) as rating_value,
            coalesce(offer.rating_min, kept.rating_min) as rating_min,
            coalesce(offer.rating_max, kept.rating_max) as rating_max,
            if(pair.has_lasting_text, kept.hashtags, offer.hashtags) as hashtags,
            if(pair.has_lasting_text, kept.mentioned_handles, offer.mentioned_handles)
                as mentioned_handles,
            if(pair.has_lasting_text, kept.urls, offer.urls) as urls,
            if(len(offer.media_types) > 0, offer.media_types, kept.media_types) as media_types,
            coalesce(offer.geo_country, kept.geo_country) as geo_country,
            coalesce(offer.geo_place, kept.geo_place) as geo_place,
            if(
                pair.has_lasting_text,
                kept.place_codes,
                coalesce(offer.place_codes, kept.place_codes)
            ) as place_codes,
            coalesce(offer.sensitive, kept.sensitive) as sensitive,
            offer.visibility as visibility,
            kept.optout or offer.optout as optout,
            coalesce(offer.licence, kept.licence) as licence,
            coalesce(offer.lookup_id, kept.lookup_id) as lookup_id,
            offer.raw_ref as raw_ref,
            offer.connector_version as connector_version,
            offer.schema_version as schema_version,
            offer.run_id as run_id
        )
    from kept_mention as kept
    inner join offer on kept.mention_id = offer.mention_id
    inner join pair on kept.mention_id = pair.mention_id
)

-- Who asks not to be listed is minimised, as a post that is gone.
select
    merged.* replace (
        if(merged.optout, null, merged.url) as url,
        if(merged.optout, null, merged.title) as title,
        if(merged.optout, null, merged.content_warning) as content_warning,
        if(merged.optout, '', merged.text) as text,
        if(merged.optout, null, merged.words) as words,
        if(merged.optout, '', merged.text_hash) as text_hash,
        if(merged.optout, null, merged.author_key) as author_key,
        if(merged.optout, null, merged.relay_id) as relay_id,
        if(merged.optout, null, merged.community) as community,
        if(merged.optout, [], merged.hashtags) as hashtags,
        if(merged.optout, [], merged.mentioned_handles) as mentioned_handles,
        if(merged.optout, [], merged.urls) as urls,
        if(merged.optout, [], merged.place_codes) as place_codes,
        if(merged.optout, null, merged.geo_place) as geo_place
    )
from merged;

-- Only what a person would call a change: being seen again is none, nor is a new count.
create or replace temp table changed_key as
with seen_again as (
    select
        * exclude (
            last_seen_at, metrics_at, like_count, reply_count, share_count, quote_count, view_count,
            bookmark_count, platform_score, raw_ref, connector_version, schema_version, run_id,
            lookup_id
        )
    from revised_mention
    except
    select
        * exclude (
            last_seen_at, metrics_at, like_count, reply_count, share_count, quote_count, view_count,
            bookmark_count, platform_score, raw_ref, connector_version, schema_version, run_id,
            lookup_id
        )
    from kept_mention
)

select
    seen_again.mention_id,
    seen_again.published_at
from seen_again;
