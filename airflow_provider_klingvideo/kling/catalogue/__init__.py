"""Models and what they can do, as dated data."""
