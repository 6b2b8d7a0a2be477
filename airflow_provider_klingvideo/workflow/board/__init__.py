"""What pages show of jobs: read from the records alone, and kept for as long as these do not change."""
