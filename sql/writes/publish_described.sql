-- Purpose: the empty tables in which the analysts' file says what it holds.
-- Grain: see each comment. Writes: topic, service, lineage, question, dictionary, told.
-- Run by: pipelines/publish.py.
create table beside.topic (topic_id varchar, label_fr varchar, label_en varchar);
comment on table beside.topic is 'One row per topic, with its label.';
comment on column beside.topic.topic_id is 'T01 to T20.';
comment on column beside.topic.label_fr is 'Its label in French.';
comment on column beside.topic.label_en is 'Its label in English.';

create table beside.service (service_id varchar, label_fr varchar, label_en varchar);
comment on table beside.service is
'One row per public service that a message may be about, with its label.';
comment on column beside.service.service_id is
'As in mention_public.aspects, before the colon, and after service: in a scope.';
comment on column beside.service.label_fr is 'Its label in French.';
comment on column beside.service.label_en is 'Its label in English.';

create table beside.lineage (
    kind varchar,
    name varchar,
    column_name varchar,
    from_table varchar,
    from_column varchar
);
comment on table beside.lineage is
'One row per column and column it is made from: from a figure of the digest (its query) to a view, '
'from a view to the warehouse.';
comment on column beside.lineage.kind is 'query or view.';
comment on column beside.lineage.name is 'Name of that query or view.';
comment on column beside.lineage.column_name is 'A column of it.';
comment on column beside.lineage.from_table is 'A view, or a table of the warehouse.';
comment on column beside.lineage.from_column is 'A column of that; * where rows are counted.';

create table beside.question (
    name varchar,
    question varchar,
    purpose varchar,
    grain varchar,
    reads varchar,
    units varchar,
    caveat varchar,
    sql varchar
);
comment on table beside.question is
'One row per question that is ready to ask: `vigie sql` runs it with .run and its name.';
comment on column beside.question.name is 'Its short name.';
comment on column beside.question.question is 'The question.';
comment on column beside.question.purpose is 'What it is for.';
comment on column beside.question.grain is 'What a row of the answer is.';
comment on column beside.question.reads is 'The tables it reads.';
comment on column beside.question.units is 'Units and spans.';
comment on column beside.question.caveat is 'What the answer does not say.';
comment on column beside.question.sql is 'The query.';

create table beside.dictionary (
    table_name varchar,
    column_name varchar,
    data_type varchar,
    says varchar,
    purpose varchar,
    grain varchar,
    units varchar,
    caveat varchar,
    reads varchar
);
comment on table beside.dictionary is
'One row per table (column_name is null) and per column of this file, with what it means.';
comment on column beside.dictionary.table_name is 'Name of the table.';
comment on column beside.dictionary.column_name is 'Name of the column; null for the table itself.';
comment on column beside.dictionary.data_type is 'Type of the column.';
comment on column beside.dictionary.says is 'What it means.';
comment on column beside.dictionary.purpose is 'What the table is for.';
comment on column beside.dictionary.grain is 'What a row of it is.';
comment on column beside.dictionary.units is 'Its units.';
comment on column beside.dictionary.caveat is 'What it does not say.';
comment on column beside.dictionary.reads is 'What it is made from.';

create table beside.told (
    table_name varchar,
    purpose varchar,
    grain varchar,
    units varchar,
    caveat varchar,
    reads varchar
);
