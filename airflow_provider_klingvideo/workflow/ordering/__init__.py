"""Bringing a request to Kling, paid once."""
