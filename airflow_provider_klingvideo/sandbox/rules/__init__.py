"""What bodies of several products have in common."""
