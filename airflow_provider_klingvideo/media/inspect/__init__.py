"""Finding out what a file is, and whether it is whole."""
