"""The API's envelope: signing, operations, answers, tasks."""
