"""The demonstration: sandbox, Airflow and a batch of videos on this machine, without money."""
