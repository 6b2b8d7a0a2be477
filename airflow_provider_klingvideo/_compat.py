"""Names that lie elsewhere in the oldest Airflow which this provider serves (3.1)."""

from __future__ import annotations

import airflow.sdk
from airflow.sdk import BaseOperator

try:
    from airflow.sdk.configuration import conf
except ImportError:
    from airflow.configuration import conf

try:
    from airflow.sdk.exceptions import (
        AirflowException,
        AirflowFailException,
        AirflowSensorTimeout,
        AirflowSkipException,
    )
except ImportError:
    from airflow.exceptions import (  # type: ignore[attr-defined,no-redef]
        AirflowException,
        AirflowFailException,
        AirflowSensorTimeout,
        AirflowSkipException,
    )

try:
    from airflow.sdk.exceptions import AirflowNotFoundException
except ImportError:
    from airflow.exceptions import AirflowNotFoundException  # type: ignore[attr-defined]

try:
    from airflow.sdk.bases.decorator import determine_kwargs
except ImportError:
    from airflow.utils.operator_helpers import determine_kwargs  # type: ignore[attr-defined]

try:
    from airflow.sdk.exceptions import TaskAwaitingInput
except ImportError:
    # Below Airflow 3.3 a trigger waits for a person.
    TaskAwaitingInput = None  # type: ignore[assignment,misc]

HAS_RETRY_POLICIES = "RetryPolicy" in airflow.sdk.__all__

# By what the pause between two tries is multiplied; Airflow below 3.2 takes only whether it grows.
BACKOFF: float | bool = True if isinstance(BaseOperator.retry_exponential_backoff, bool) else 2.0

__all__ = [
    "BACKOFF",
    "HAS_RETRY_POLICIES",
    "AirflowException",
    "AirflowFailException",
    "AirflowNotFoundException",
    "AirflowSensorTimeout",
    "AirflowSkipException",
    "TaskAwaitingInput",
    "conf",
    "determine_kwargs",
]
