"""The clients, and the operations of tasks."""
