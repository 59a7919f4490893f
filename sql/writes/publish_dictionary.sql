-- Purpose: the dictionary of the analysts' file: every table and column, with what it means.
-- Grain: one row per table (`column_name` null) and per column. Reads: told, the catalogue.
-- Writes: dictionary; drops told. Run by: pipelines/publish.py.
insert into beside.dictionary
with named as (
    select
        tables.table_name,
        null::varchar as column_name,
        null::varchar as data_type,
        tables.comment as says,
        0 as place
    from duckdb_tables() as tables
    where tables.database_name = 'beside'
    union all
    select
        columns.table_name,
        columns.column_name,
        columns.data_type,
        columns.comment as says,
        columns.column_index as place
    from duckdb_columns() as columns
    where columns.database_name = 'beside'
)

select
    named.table_name,
    named.column_name,
    named.data_type,
    named.says,
    if(named.column_name is null, told.purpose, null) as purpose,
    if(named.column_name is null, told.grain, null) as grain,
    if(named.column_name is null, told.units, null) as units,
    if(named.column_name is null, told.caveat, null) as caveat,
    if(named.column_name is null, told.reads, null) as reads
from named
left join beside.told as told on named.table_name = told.table_name
where named.table_name != 'told'
order by named.table_name, named.place;

drop table beside.told;
