"""Products that make videos."""
