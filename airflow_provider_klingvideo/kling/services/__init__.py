"""Calls that are answered at once, without a task."""
