"""Keeping what signs input addresses out of what Airflow keeps and shows of a task."""

from __future__ import annotations

from typing import Any

from airflow.sdk.log import mask_secret

from airflow_provider_klingvideo.runtime.airflow_errors import airflow_errors
from airflow_provider_klingvideo.runtime.places import session_of
from airflow_provider_klingvideo.workflow.inputs.sealing import secrets_of

# What a task orders, or passes on to those that order; other fields are only read by the task itself.
SEALED_FIELDS = frozenset({"request", "requests", "rows"})


def hide_signatures(task: Any) -> None:
    """Seal the signed parts of a task's requests, and mask those of all its fields.

    :param task: its fields are rendered.
    :raises AirflowException: an address may not be given so, or the connection has no key to seal it with.
    """
    for name in task.template_fields:
        value = getattr(task, name, None)
        for secret in secrets_of(value):
            mask_secret(secret)
        if name in SEALED_FIELDS and not isinstance(value, str):
            with airflow_errors():
                setattr(task, name, session_of(task).sealed(value))
