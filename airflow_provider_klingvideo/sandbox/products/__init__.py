"""What each product takes and answers."""
