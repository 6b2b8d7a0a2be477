"""Tables that come in: their bytes within limits, their shape, their columns and their cells."""
