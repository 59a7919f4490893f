"""Text in, arrays out: knows no database, no Airflow and no source."""
