"""Whether and when a failed task is tried again, by its error; for Airflow 3.3 and newer."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import RetryDecision, RetryPolicy

from airflow_provider_klingvideo.errors import KlingVideoError

if TYPE_CHECKING:
    from airflow.sdk import Context

FIRST_PAUSE = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(minutes=10)
# The jobs of a batch that fail together shall not come back together.
JITTER = 0.5
# Clearing lets the number of tries grow without end.
MOST_DOUBLINGS = 10
DOUBLED, SAME = 2.0, 1.0


class KlingVideoRetryPolicy(RetryPolicy):
    """Tries again what a later try can mend, and fails at once what it cannot.

    An error that is not of this provider is left to the task's own settings. Of this provider's errors, those that no
    waiting mends (a rejected key, an illegal request, a used-up pack) burn no retry. The others are tried again after
    the task's ``retry_delay``, multiplied with every try by its ``retry_exponential_backoff`` (True for 2, False and 0
    for the same pause each time) up to its ``max_retry_delay`` and spread at random, and never before Kling's
    ``Retry-After``.

    The operators and the sensor of this provider have it by default; give it to your own tasks that use the hook:
    ``@task(retries=3, retry_policy=KlingVideoRetryPolicy())``.
    """

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        """Decide about one failure.

        :param exception: what the task raised.
        :param try_number: the number of the try that failed, from 1.
        :param max_tries: how many retries there are; not used, Airflow counts.
        :param context: Airflow's context, for the task's own pauses.
        """
        error = _error_of(exception)
        if error is None:
            return RetryDecision.default()
        if not error.retryable:
            return RetryDecision.fail(reason=f"{error.kind}: trying again cannot help")
        task = context["ti"].task if context else None
        first: timedelta = getattr(task, "retry_delay", FIRST_PAUSE)
        longest: timedelta = getattr(task, "max_retry_delay", None) or LONGEST_PAUSE
        growth = _growth(task) ** min(try_number - 1, MOST_DOUBLINGS)
        pause = min(first * growth, longest) * (1 + JITTER * random.random())  # noqa: S311
        asked = timedelta(seconds=error.retry_after or 0)
        return RetryDecision.retry(delay=max(pause, asked), reason=f"{error.kind}: trying again")


def _growth(task: Any) -> float:
    """By what the pause of a task is multiplied with every try."""
    backoff = getattr(task, "retry_exponential_backoff", True)
    return DOUBLED if backoff is True else float(backoff or SAME)


def _error_of(exception: BaseException) -> KlingVideoError | None:
    """The error of this provider that an exception is, or that is its cause."""
    cause: BaseException | None = exception
    while cause is not None and not isinstance(cause, KlingVideoError):
        cause = cause.__cause__
    return cause
