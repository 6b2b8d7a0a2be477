"""Products that make or take pictures."""
