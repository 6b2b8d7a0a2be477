"""Errors of the workflow itself; those of Kling, the network and the media come from their own rooms."""

from __future__ import annotations

from airflow_provider_klingvideo.errors import KlingVideoError, Money
from airflow_provider_klingvideo.kling.errors import AmbiguousSubmissionError


class SubmissionUnknownError(KlingVideoError):
    """A create request was sent, and neither its answer nor the look-up afterwards tell whether a task exists."""

    kind = "ambiguous_submission"
    default_money = Money.MAYBE
    default_retryable = True
    default_advice = "Run the task again later: it looks the task up by its external id before anything is sent"


class ChangedRequestError(KlingVideoError):
    """The job asks for something else than the video that was ordered before, and may not order another one."""

    kind = "changed_request"
    default_money = Money.MAYBE
    default_advice = "Put the request back to take that video, or set on_changed_request to order and pay another one"


class UnansweredCallError(AmbiguousSubmissionError):
    """A call that costs was sent, its answer was lost, and Kling cannot be asked about it."""

    kind = "ambiguous_call"
    default_retryable = False
    default_advice = "Set repeat_unanswered to make it again, at the risk of paying twice for this call"


class CallInProgressError(KlingVideoError):
    """Another worker is just making the same call that costs."""

    kind = "record"
    default_money = Money.MAYBE
    default_retryable = True
    default_advice = "Run the task again later: it takes the answer of the other worker"


class GenerationTimeoutError(KlingVideoError):
    """Kling had not finished when the deadline came."""

    kind = "timeout"
    default_money = Money.MAYBE
    default_advice = "The task runs on at Kling; clear the sensor task, with a longer timeout, to take its result"


class PollingLostError(KlingVideoError):
    """Kling could not be asked about a task for too long."""

    kind = "polling"
    default_money = Money.MAYBE
    default_advice = "Mend the cause and clear the sensor task; it follows the same task at Kling"


class NoResultError(KlingVideoError):
    """Kling says succeeded, but offers no video."""

    kind = "no_result"
    default_money = Money.BILLED
    default_advice = "Write to Kling's support with the task id; the raw answer is in the job record"


class ResultExpiredError(KlingVideoError):
    """The result was not loaded in the 30 days for which Kling keeps it."""

    kind = "expired"
    default_money = Money.BILLED
    default_advice = "The video is lost; order it again with a higher take if it is still wanted"


class CancelRequestedError(KlingVideoError):
    """Somebody asked that the job be cancelled while it was in our queue."""

    kind = "cancelled"


class QueueTimeoutError(KlingVideoError):
    """No slot became free in time."""

    kind = "queue_timeout"
    default_advice = "Clear the task to queue again, raise queue_timeout, or buy a pack with more concurrency"


class BudgetError(KlingVideoError):
    """The job's budget does not cover it."""

    kind = "budget"
    default_advice = "Raise budget_units, or wait until other jobs of the budget have ended, and clear the task"


class NotApprovedError(KlingVideoError):
    """A person has to approve the job, and nobody has for this very request, take and price."""

    kind = "approval"
    default_advice = "Clear the task that waits in the queue (`queued`): it asks again; nothing was ordered"


class RejectedError(KlingVideoError):
    """A person has rejected the job."""

    kind = "rejected"
    default_advice = "The answer holds for this request, take and price: change one of them to ask again"


class NoAnswerError(KlingVideoError):
    """Nobody has answered in time whether the job may be ordered."""

    kind = "approval_timeout"
    default_advice = "Clear the task to ask again, or raise answer_timeout"


class InputError(KlingVideoError):
    """An input file is missing or not what Kling accepts."""

    kind = "input"


class StoredFilesError(KlingVideoError):
    """Files that the record names are not in the store as recorded."""

    kind = "storage"
    default_money = Money.BILLED
    default_advice = "Clear the post-processing task: it loads and renders again only what is missing"
