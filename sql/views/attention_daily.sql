-- Purpose: the attention that pages about what is watched get: readings, changes, quarrels.
-- Published: yes.
-- Grain: one row per source block, page and day of which anything was measured. Reads: attention.
-- Units: days are UTC, as Wikimedia counts readings; `usual_view_count` is the median of the 28
--   days before (null with fewer than 7), `view_ratio` the day's readings over it.
-- Caveat: attention is no opinion: a page is read for a match or a holiday too. Readings come a day
--   late. Reverts tell quarrels or vandalism, not which of the two. No person stands behind a row.
create or replace view attention_daily as
with measured as (
    select
        attention.source_name,
        attention.subject_id,
        attention.about,
        attention.url,
        attention.kind,
        attention.value,
        cast(timezone('UTC', attention.measured_at) as date) as day_on
    from attention
),

daily as (
    select
        measured.source_name,
        measured.subject_id,
        measured.about,
        measured.day_on,
        max(measured.url) as url,
        sum(measured.value) filter (where measured.kind = 'page_views') as view_count,
        count(*) filter (where measured.kind != 'page_views') as edit_count,
        count(*) filter (where measured.kind = 'revert') as revert_count,
        coalesce(sum(abs(measured.value)) filter (where measured.kind != 'page_views'), 0)
            as changed_bytes
    from measured
    group by measured.source_name, measured.subject_id, measured.about, measured.day_on
),

compared as (
    select
        daily.*,
        count(daily.view_count) over before as known_count,
        median(daily.view_count) over before as median_count
    from daily
    window before as (
        partition by daily.source_name, daily.about
        order by daily.day_on asc
        range between interval 28 days preceding and interval 1 day preceding
    )
)

select
    compared.day_on,
    compared.source_name,
    compared.subject_id,
    compared.about,
    compared.url,
    compared.edit_count,
    compared.revert_count,
    cast(compared.view_count as bigint) as view_count,
    cast(compared.changed_bytes as bigint) as changed_bytes,
    if(compared.known_count >= 7, compared.median_count, null) as usual_view_count,
    if(
        compared.known_count >= 7,
        compared.view_count / nullif(compared.median_count, 0),
        null
    ) as view_ratio
from compared;

comment on view attention_daily is
'One row per page and UTC day: readings, changes and reverts. Attention is no opinion.';
comment on column attention_daily.about is 'The title of the page.';
comment on column attention_daily.view_count is 'Readings by people; null where not counted yet.';
comment on column attention_daily.usual_view_count is 'Median of the 28 days before.';
comment on column attention_daily.view_ratio is 'Readings over what is usual.';
comment on column attention_daily.edit_count is 'Changes by people, reverts included; no bots.';
comment on column attention_daily.revert_count is 'Changes that undo another.';
comment on column attention_daily.changed_bytes is 'Bytes added and removed, summed.';
comment on column attention_daily.day_on is 'The day, UTC, as Wikimedia counts.';
comment on column attention_daily.source_name is
'Name of the source block in vigie.toml that measures it.';
comment on column attention_daily.subject_id is 'The watched subject, as in vigie.toml.';
comment on column attention_daily.url is 'Address of the page.';
