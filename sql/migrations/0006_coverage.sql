-- Purpose: what was heard by which source and when, what was not read, and the hours of it.
-- Caveat: what was stored before is taken for heard by the source block that its row names.

-- One row per mention and source block: when the block first heard it. Holds no author. `is_timed`:
-- its source tells the moment of publication to the minute; `is_counted`: neither the
-- institution's own nor opted out.
create table heard (
    mention_id varchar not null,
    source_name varchar not null,
    published_at timestamptz not null,
    heard_at timestamptz not null,
    is_timed boolean not null,
    is_counted boolean not null
);

-- One row per span that a source block could not be read for: why, found and filled by which run.
-- `reason`: told (the source says it shows it no more, or cut it), failed, waiting, missing.
create table gap (
    source_name varchar not null,
    since_at timestamptz not null,
    until_at timestamptz not null,
    reason varchar not null,
    found_by varchar not null,
    found_at timestamptz not null,
    filled_by varchar,
    filled_at timestamptz
);

-- One row per source block and hour (UTC), made by each load for the hours that it touches, so that
-- the cost of reading coverage does not grow with history. `due_seconds` is the part of the hour
-- that should have been read by now; `only_count` the mentions that no other block heard.
create table source_hour (
    source_name varchar not null,
    source varchar not null,
    hour_at timestamptz not null,
    due_seconds integer not null,
    read_seconds integer not null,
    gap_seconds integer not null,
    filled_seconds integer not null,
    run_count integer not null,
    failed_count integer not null,
    waiting_count integer not null,
    capped_count integer not null,
    mention_count integer not null,
    only_count integer not null,
    timed_count integer not null,
    late_p50_seconds double,
    late_p95_seconds double
);

-- One row per source block: the first window that it ever read well.
create table source_start (
    source_name varchar not null,
    since_at timestamptz not null,
    until_at timestamptz not null
);

-- One row per canary, as the settings name it now. Written by `prepare`.
create table canary (
    canary_id varchar not null,
    word varchar,
    url varchar
);

-- One row per canary post and source block that heard it.
create table canary_heard (
    canary_id varchar not null,
    source_name varchar not null,
    mention_id varchar not null,
    published_at timestamptz not null,
    heard_at timestamptz not null
);

insert into heard
select
    mention.mention_id,
    mention.source_name,
    mention.published_at,
    mention.first_seen_at as heard_at,
    mention.published_precision in ('second', 'minute')
    and not mention.published_clamped as is_timed,
    not mention.is_own and not mention.optout as is_counted
from mention
order by mention.published_at;

insert into gap
select
    intake.source_name,
    intake.gap_since_at as since_at,
    intake.gap_until_at as until_at,
    'told' as reason,
    intake.run_id as found_by,
    intake.finished_at as found_at,
    null as filled_by,
    null as filled_at
from intake
where intake.gap_since_at < intake.gap_until_at;

insert into source_start
select
    intake.source_name,
    min_by(intake.since_at, intake.until_at) as since_at,
    min(intake.until_at) as until_at
from intake
where intake.status = 'ok'
group by intake.source_name;
