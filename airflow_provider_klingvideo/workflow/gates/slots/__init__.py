"""Places among the tasks that Kling runs at once."""
