"""Films: many clips become one."""
