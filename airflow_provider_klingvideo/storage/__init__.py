"""Paths of every store, whole writes, names."""
