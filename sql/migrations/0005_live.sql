-- Purpose: what a reader has handed over; counts over time, texts as they were, when posts were
--   looked up again. Keys and times only, but for `mention_version`, which holds texts.
-- Read by: sql/views, sql/writes, pipelines/load.py.

-- What its source calls a mention when it is looked up, where that is not its native id.
alter table mention add column lookup_id varchar;

-- One row per source block that is listened to: the last of its landings that has been loaded, and
-- up to when (UTC) that source has been read. Moves only with the load of its rows.
create table listened (
    source_name varchar not null,
    landed varchar not null,
    until_at timestamptz not null,
    run_id varchar not null,
    moved_at timestamptz not null
);

-- One row per look at a mention that found new counts; the first holds its first numbers.
-- `published_at` repeats the mention's, so that a reader of one day need not read every look.
create table mention_metric (
    mention_id varchar not null,
    published_at timestamptz not null,
    counted_at timestamptz not null,
    like_count bigint,
    reply_count bigint,
    share_count bigint,
    quote_count bigint,
    view_count bigint
);

-- One row per text that an edit has replaced: as it was, masked, from `seen_at` to `replaced_at`
-- (UTC, both ours). Empty once the text of its mention has expired, or its post is gone.
create table mention_version (
    mention_id varchar not null,
    published_at timestamptz not null,
    text_hash varchar not null,
    title varchar,
    content_warning varchar,
    text varchar not null,
    seen_at timestamptz not null,
    replaced_at timestamptz not null
);

-- One row per mention that was looked up again: when last. Also where nothing was learnt, so that
-- one that cannot be found is not asked for again and again.
create table recheck (
    mention_id varchar not null,
    published_at timestamptz not null,
    source_name varchar not null,
    asked_at timestamptz not null
);

-- The numbers known so far are the first ones.
insert into mention_metric
select
    mention.mention_id,
    mention.published_at,
    mention.metrics_at as counted_at,
    mention.like_count,
    mention.reply_count,
    mention.share_count,
    mention.quote_count,
    mention.view_count
from mention
where mention.metrics_at is not null and mention.deleted_at is null;
