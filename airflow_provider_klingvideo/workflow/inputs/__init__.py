"""What a request names: files, addresses, results of other jobs."""
