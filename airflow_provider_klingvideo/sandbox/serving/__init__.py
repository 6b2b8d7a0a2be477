"""What every request goes through, and what goes on behind it."""
