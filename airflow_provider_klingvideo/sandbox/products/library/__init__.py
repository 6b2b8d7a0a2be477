"""What an account keeps and names in requests."""
