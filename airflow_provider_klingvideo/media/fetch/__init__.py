"""Loading files from addresses, guarded and resumable."""
