"""Following tasks at Kling to their end."""
