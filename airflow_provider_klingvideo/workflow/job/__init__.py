"""The job: states, transitions, record, engine."""
