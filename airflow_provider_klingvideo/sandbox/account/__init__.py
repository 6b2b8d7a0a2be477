"""The imitated account: tasks, slots, units, what it owns, and the shapes in which all that is shown."""
