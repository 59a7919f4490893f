"""What Airflow loads beside the DAGs: the board in its web server."""
