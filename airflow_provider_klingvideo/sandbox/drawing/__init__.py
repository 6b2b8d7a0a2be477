"""Making the files of results."""
