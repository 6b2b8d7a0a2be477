"""Plugins of Airflow: what its API server serves of ours."""
