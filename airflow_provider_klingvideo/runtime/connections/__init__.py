"""An Airflow connection to Kling: finding it, and reading what a person typed into its fields."""
