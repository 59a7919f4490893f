-- Purpose: the places that a text names, and what each lies within.
-- Mentions stored before keep null: nobody has looked, which is not the same as none.
-- `vigie rescore` looks again.
alter table mention add column place_codes varchar[];

-- One row per commune, arrondissement, department and region of France, with what holds it. Written
-- by `prepare` from pipelines/places/gazetteer.parquet.
create table place (
    place_code varchar not null,
    level varchar not null,
    name varchar not null,
    commune_code varchar,
    departement_code varchar,
    region_code varchar not null,
    population integer not null
);

-- One row: which gazetteer `place` was written from.
create table gazetteer (
    version varchar not null
);
