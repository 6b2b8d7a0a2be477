"""Deliverables: what is made of a video, and how it gets into the store."""
