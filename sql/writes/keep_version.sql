-- Purpose: the texts that the slice replaces, kept as they were; none of who asks not to be read.
-- Grain: one row per replaced text. Reads: kept_mention, revised_mention. Writes: mention_version.
-- Caveat: run before the slice is merged, while `kept_mention` is what the warehouse holds. A text
--   that is kept already (two servers that write one post differently) is not kept again, and of
--   one post 20 are kept at most.
insert into mention_version
with thresholds as (
    select 20 as most_versions
),

kept_before as (
    select
        version.mention_id,
        count(*) as version_count,
        max(version.replaced_at) as last_replaced_at
    from mention_version as version
    inner join revised_mention as revised
        on
            version.published_at = revised.published_at
            and version.mention_id = revised.mention_id
    group by version.mention_id
)

select
    kept.mention_id,
    kept.published_at,
    kept.text_hash,
    kept.title,
    kept.content_warning,
    kept.text,
    coalesce(kept_before.last_replaced_at, kept.first_seen_at) as seen_at,
    revised.last_seen_at as replaced_at
from kept_mention as kept
inner join revised_mention as revised on kept.mention_id = revised.mention_id
cross join thresholds
left join kept_before on kept.mention_id = kept_before.mention_id
anti join mention_version as version
    on
        kept.published_at = version.published_at
        and kept.mention_id = version.mention_id
        and kept.text_hash = version.text_hash
        and kept.title is not distinct from version.title
        and kept.content_warning is not distinct from version.content_warning
where
    not revised.optout
    and kept.text_expired_at is null
    and (kept.text != '' or kept.title is not null or kept.content_warning is not null)
    and coalesce(kept_before.version_count, 0) < thresholds.most_versions
    and (
        kept.text != revised.text
        or kept.title is distinct from revised.title
        or kept.content_warning is distinct from revised.content_warning
    );

update mention_version set text = '', text_hash = '', title = null, content_warning = null
from revised_mention as revised
where
    revised.optout
    and mention_version.published_at = revised.published_at
    and mention_version.mention_id = revised.mention_id;
