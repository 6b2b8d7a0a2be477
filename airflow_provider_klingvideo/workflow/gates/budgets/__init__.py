"""Units that jobs share."""
