"""Batches: a chunk of rows in one task, a file on the command line, the verdict over all."""
