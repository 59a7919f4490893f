-- Purpose: the keys that a file of a run names, added to those looked up in the warehouse.
-- Grain: one row per row of the file. Reads: a Parquet file. Read by: pipelines/load.py.
-- Caveat: writes the temporary table `wanted_key`, which lives as long as the load.
insert into wanted_key
select incoming.mention_id from read_parquet($path) as incoming;
