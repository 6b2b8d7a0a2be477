"""The solutions family."""
