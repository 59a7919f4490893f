-- Purpose: the tables of the warehouse. No constraint but `not null`: writes merge by key, so that
-- the same SQL runs on a plain DuckDB file and on a lake that knows no primary key.
-- Read by: every view; written by: sql/writes, pipelines/load.py, pipelines/detect.py, notify.py.

-- One row per post, comment, review or article. Equal to pipelines/mention.py (a test holds it).
create table mention (
    mention_id varchar not null,
    source varchar not null,
    source_name varchar not null,
    source_instance varchar,
    network varchar not null,
    native_id varchar not null,
    native_version varchar,
    content_type varchar not null,
    collected_via varchar not null,
    subject_ids varchar[] not null,
    url varchar,
    title varchar,
    content_warning varchar,
    text varchar not null,
    text_truncated boolean not null,
    text_hash varchar not null,
    text_expired_at timestamptz,
    lang_declared varchar,
    lang varchar,
    published_at timestamptz not null,
    published_precision varchar not null,
    published_clamped boolean not null,
    edited_at timestamptz,
    deleted_at timestamptz,
    deletion_reason varchar,
    first_seen_at timestamptz not null,
    last_seen_at timestamptz not null,
    metrics_at timestamptz,
    author_key varchar,
    author_kind varchar,
    relay_id varchar,
    is_own boolean not null,
    thread_id varchar,
    parent_native_id varchar,
    root_native_id varchar,
    quoted_native_id varchar,
    community varchar,
    like_count bigint,
    reply_count bigint,
    share_count bigint,
    quote_count bigint,
    view_count bigint,
    bookmark_count bigint,
    platform_score double,
    rating_value double,
    rating_min double,
    rating_max double,
    hashtags varchar[] not null,
    mentioned_handles varchar[] not null,
    urls varchar[] not null,
    media_types varchar[] not null,
    geo_country varchar,
    geo_place varchar,
    sensitive boolean,
    visibility varchar not null,
    optout boolean not null,
    licence varchar,
    retention_until date not null,
    raw_ref varchar,
    connector_version varchar not null,
    schema_version integer not null,
    run_id varchar not null
);

-- One row per mention and current scorer: what the models said of a text. Holds no author, and no
-- table holds both: a message has a topic, a person never has one. `published_at` repeats the
-- mention's (load fills it in), so that a reader of one hour need not read every score ever given.
create table score (
    mention_id varchar not null,
    scorer_id varchar not null,
    text_hash varchar not null,
    lang varchar,
    p_negative float,
    p_neutral float,
    p_positive float,
    sentiment varchar not null,
    sentiment_score float,
    topics varchar[] not null,
    topic_p float[] not null,
    scored_at timestamptz not null,
    published_at timestamptz not null
);

-- One row per combination of models ever used here: the lineage of a score.
create table scorer (
    scorer_id varchar not null,
    sentiment_model_id varchar not null,
    sentiment_weights_sha256 varchar not null,
    topics_model_id varchar not null,
    topics_weights_sha256 varchar not null,
    code_version varchar not null,
    thresholds varchar not null,
    first_used_at timestamptz not null
);

-- One row per payload or row that could not be a mention, with its reason and no person's text.
create table quarantine (
    source varchar not null,
    source_name varchar not null,
    native_id varchar,
    reason varchar not null,
    detail varchar not null,
    raw_ref varchar,
    run_id varchar not null,
    rejected_at timestamptz not null
);

-- One row per source block: where the next run goes on. Moves only with the load of its rows.
create table source_cursor (
    source_name varchar not null,
    cursor varchar not null,
    run_id varchar not null,
    moved_at timestamptz not null
);

-- One row per run and source block: what was read, kept, refused, missed.
create table intake (
    run_id varchar not null,
    source_name varchar not null,
    source varchar not null,
    since_at timestamptz not null,
    until_at timestamptz not null,
    status varchar not null,
    payload_count bigint not null,
    post_count bigint not null,
    accepted_count bigint not null,
    rejected_count bigint not null,
    off_subject_count bigint not null,
    duplicate_count bigint not null,
    deleted_count bigint not null,
    is_capped boolean not null,
    gap_since_at timestamptz,
    gap_until_at timestamptz,
    note varchar,
    newest_published_at timestamptz,
    finished_at timestamptz not null
);

-- One row per erased or objected post: blocks its return. Holds a hash, not the post.
create table tombstone (
    mention_id varchar not null,
    reason varchar not null,
    erased_at timestamptz not null
);

-- One row per pseudonym of someone who objected, past and to come: blocks their posts.
create table objection (
    author_key varchar not null,
    objected_at timestamptz not null
);

-- One row per local day whose mentions have begun to expire: its counts stay as they are, since
-- what is left of it can no longer be counted again.
create table frozen_day (
    day_on date not null,
    frozen_at timestamptz not null
);

-- One row per subject, scope and hour (UTC): the small table that baselines read, so that the cost
-- of a run does not grow with history. `scope` is 'all' or a topic id.
create table hourly (
    hour_at timestamptz not null,
    subject_id varchar not null,
    scope varchar not null,
    mention_count bigint not null,
    scored_count bigint not null,
    negative_count bigint not null,
    positive_count bigint not null,
    author_count bigint not null
);

-- One row per incident: a rule that fired for a subject and scope, from opening to resolution.
create table incident (
    incident_id varchar not null,
    fingerprint varchar not null,
    rule_id varchar not null,
    rule_version varchar not null,
    subject_id varchar,
    scope varchar not null,
    severity varchar not null,
    state varchar not null,
    opened_at timestamptz not null,
    last_fired_at timestamptz not null,
    resolved_at timestamptz,
    peak_observed double not null,
    peak_score double,
    evidence varchar not null
);

-- One row per change of an incident: when, from, to, why, who.
create table incident_event (
    incident_id varchar not null,
    changed_at timestamptz not null,
    state_from varchar not null,
    state_to varchar not null,
    reason varchar not null,
    actor varchar not null
);

-- One row per message to one recipient, sent or not. `outbox_key` is unique by the merge that
-- writes it; the Message-ID follows from it, so a repeat lands in the same thread.
create table outbox (
    outbox_key varchar not null,
    incident_id varchar,
    kind varchar not null,
    reason varchar not null,
    channel varchar not null,
    recipient varchar not null,
    message_id varchar not null,
    message blob not null,
    created_at timestamptz not null,
    attempt_count integer not null,
    next_try_at timestamptz not null,
    sent_at timestamptz,
    last_error varchar
);

-- One row per local day of the institution, kept for years: no text, no author.
create table daily (
    day_on date not null,
    subject_id varchar not null,
    network varchar not null,
    scope varchar not null,
    mention_count bigint not null,
    scored_count bigint not null,
    negative_count bigint not null,
    neutral_count bigint not null,
    positive_count bigint not null,
    undetermined_count bigint not null,
    author_count bigint not null
);

-- One row per digest made: what it said, so that tomorrow can compare.
create table digest (
    day_on date not null,
    locale varchar not null,
    risk_level varchar not null,
    reason varchar not null,
    body varchar not null,
    made_at timestamptz not null
);

-- One row per receipt of an expiry or an erasure: how many rows and files went, and why.
create table receipt (
    receipt_id varchar not null,
    kind varchar not null,
    made_at timestamptz not null,
    detail varchar not null
);

-- One row: whose warehouse this is, and in which zone its days begin. Written by `prepare`.
create table institution (
    institution_id varchar not null,
    name varchar not null,
    time_zone varchar not null,
    locale varchar not null
);

-- One row per watched subject, as the settings name it now. Written by `prepare`.
create table subject (
    subject_id varchar not null,
    label varchar not null,
    purpose varchar not null
);

-- One row per source block, as the settings name it now. Written by `prepare`.
create table source_block (
    source_name varchar not null,
    source varchar not null,
    every_minutes integer not null,
    silent_after_minutes integer not null
);
