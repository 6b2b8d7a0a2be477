"""What a job has to pass in QUEUED."""
