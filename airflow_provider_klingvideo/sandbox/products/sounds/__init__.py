"""Products that make sounds and voices."""
