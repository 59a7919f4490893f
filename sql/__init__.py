"""The SQL of Vigie, one statement or one view a file; see `pipelines/warehouse.py`."""
