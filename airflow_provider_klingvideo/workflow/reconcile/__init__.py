"""Comparing Kling's list of tasks with the job records."""
