-- Purpose: the labelling desk: which messages were drawn for people to judge, with what chance, and
--   what each person said. No text and no author: a text lives and goes with its mention.
-- Read by: sql/queries/label_*.sql; written by: pipelines/labelling.py, pipelines/labels.py.

-- One row per draw: what it was drawn from (mentions first seen after `since_at`, up to
-- `until_at`) and how many there were, copies counted once (`distinct_count`) and each.
create table label_batch (
    batch_id varchar not null,
    day_on date not null,
    seed integer not null,
    since_at timestamptz not null,
    until_at timestamptz not null,
    mention_count integer not null,
    distinct_count integer not null,
    drawn_at timestamptz not null,
    drawn_by varchar not null
);

-- One row per message of a draw. `part`: random, unsure (by `reason`: tone, topic, act) or reported
-- by a moderator. Of the random part `stratum_count` messages of the stratum (a network) were there
-- and `stratum_drawn` were drawn: each had the chance stratum_drawn / stratum_count; elsewhere 0.
-- `wanted_count` people are to judge it, blind to each other. `mention_id` is null once the mention
-- has had its time: the hash of the text is left.
create table label_task (
    task_id varchar not null,
    batch_id varchar not null,
    mention_id varchar,
    published_at timestamptz not null,
    text_hash varchar not null,
    part varchar not null,
    reason varchar not null,
    stratum varchar not null,
    stratum_count integer not null,
    stratum_drawn integer not null,
    copy_count integer not null,
    wanted_count integer not null,
    drawn_at timestamptz not null
);

-- One row per judgement. `tone` is null where it cannot be said, `topics` and `acts` are empty for
-- none; nothing of it counts where `is_unreadable`. `text_hash` is the text that was read,
-- `scorer_id` whose answer was shown once this one was saved; `is_again`: it takes the place of one
-- that the same person withdrew, and so was given after the model's was seen. `is_settlement`: said
-- of a disagreement, by somebody who saw every answer.
create table label (
    label_id varchar not null,
    task_id varchar not null,
    labeller varchar not null,
    labelled_at timestamptz not null,
    text_hash varchar not null,
    tone varchar,
    topics varchar[] not null,
    acts varchar[] not null,
    is_unreadable boolean not null,
    is_settlement boolean not null,
    is_again boolean not null,
    scorer_id varchar,
    withdrawn_at timestamptz
);
