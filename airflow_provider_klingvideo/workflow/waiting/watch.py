"""What an answer about a running task means for its job, and when to ask again: pure decisions, no I/O.

The sensor's poke mode, the trigger and the engine feed the same object, so that they cannot come to differ.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from airflow_provider_klingvideo.errors import KlingVideoError

if TYPE_CHECKING:
    from airflow_provider_klingvideo.kling import Output, Task

JITTER = 0.1
# Below this share of the usual time a finished task is so unlikely that a question would be wasted.
EARLIEST_SHARE = 0.8
# Past the time in which tasks end the pause grows with the age of the task.
LATE_SHARE = 0.1
# What has an id that other requests take, and no file.
LIBRARY_ITEMS = {"voice", "element"}


class Outcome(StrEnum):
    """How the wait for a task ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    NO_RESULT = "no_result"
    TIMED_OUT = "timed_out"
    LOST = "lost"


@dataclass(frozen=True)
class PollPolicy:
    """Bounds of polling.

    :param min_seconds: shortest pause between two questions.
    :param max_seconds: longest pause.
    :param max_errors: so many failed questions in a row are survived.
    :param max_refusals: so many in a row that no waiting can mend (a rejected key, for example) are survived; the
        connection is read anew in between, since keys are rotated.
    """

    min_seconds: float = 2
    max_seconds: float = 30
    max_errors: int = 30
    max_refusals: int = 3


@dataclass(frozen=True)
class Wait:
    """Ask again after so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Ended:
    """The wait is over. JSON values only, no signed URL: it travels through Airflow's database.

    :param outcome: how it ended.
    :param message: Kling's words, or what went wrong.
    :param bill: what Kling has billed, the JSON values of a
        :class:`~airflow_provider_klingvideo.kling.wire.bills.Bill`; None when it did not say.
    :param seconds: length of the video as Kling states it.
    :param vendor_seconds: how long Kling took, by its own clock; None when it did not say.
    :param video_url: where the video lies, without the signed query; None where there is none.
    :param outputs: every result: ``type``, and where it has them ``id``, ``name``, ``group``, ``seconds``, ``url``
        (without the signed query), ``watermark`` (whether it also comes with one), ``formats`` (in which others).
    :param answer: Kling's answer when it makes no sense, for its support.
    """

    outcome: Outcome
    message: str = ""
    bill: dict[str, Any] | None = None
    seconds: float | None = None
    vendor_seconds: float | None = None
    video_url: str | None = None
    outputs: list[dict[str, Any]] = field(default_factory=list)
    answer: dict[str, Any] = field(default_factory=dict)

    def as_event(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {**asdict(self), "outcome": str(self.outcome)}

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> Ended:
        """Read what :meth:`as_event` wrote; unknown keys of a newer version are passed over.

        :raises ValueError: when the event is not of that form.
        """
        known = {key: event[key] for key in cls.__dataclass_fields__ if key in event}
        if event.get("billed_units") is not None:
            # An earlier version's trigger knew no money.
            known.setdefault("bill", {"units": event["billed_units"]})
        if "outcome" not in known:
            raise ValueError(f"An event about a task has no outcome: keys {sorted(event)}.")
        return cls(**{**known, "outcome": Outcome(known["outcome"])})


class GenerationWatch:
    """Follows one task at Kling from answer to answer.

    :param task_id: Kling's id, for messages.
    :param submitted_at: when Kling accepted the task, aware.
    :param deadline: when to stop waiting, aware; an answer that arrives later still counts when it is terminal.
    :param typical_seconds: how long such a task usually takes.
    :param window: seconds after which such tasks began to end, and after which nearly all had ended, as observed; None
        where none has been seen.
    :param policy: bounds of polling.
    :param spread: random number in [0, 1) for the jitter.
    """

    def __init__(
        self,
        task_id: str,
        *,
        submitted_at: datetime,
        deadline: datetime,
        typical_seconds: float,
        window: tuple[float, float] | None = None,
        policy: PollPolicy | None = None,
        spread: Callable[[], float] = random.random,
    ) -> None:
        self.task_id = task_id
        self.submitted_at = submitted_at
        self.deadline = deadline
        self.typical_seconds = typical_seconds
        self.window = window or (typical_seconds * EARLIEST_SHARE, typical_seconds)
        self.policy = policy or PollPolicy()
        self._spread = spread
        self._errors = 0
        self._refusals = 0

    @property
    def is_refused(self) -> bool:
        """Whether the last question was refused in a way that no waiting mends."""
        return self._refusals > 0

    def first_wait(self, now: datetime) -> Wait:
        """Say when to ask for the first time: at once where the task may have ended."""
        is_early = now < self.submitted_at + timedelta(seconds=self.window[0])
        return self._wait(self._pause(now) if is_early else 0, now)

    def on_task(self, task: Task | None, now: datetime) -> Wait | Ended:
        """Take an answer.

        :param task: the task; None when Kling's answer did not name it, which is no failure of the task.
        :param now: the present time, aware.
        """
        if task is None:
            return self._on_trouble(f"Kling does not list task {self.task_id}.", now)
        self._errors = self._refusals = 0
        if task.status.is_terminal:
            return _ended(task)
        if now >= self.deadline:
            return self._timed_out(now)
        return self._wait(self._pause(now), now)

    def on_error(self, error: KlingVideoError, now: datetime) -> Wait | Ended:
        """Take a question that failed."""
        self._refusals = 0 if error.retryable else self._refusals + 1
        return self._on_trouble(str(error), now, at_least=error.retry_after or 0)

    def _on_trouble(self, message: str, now: datetime, at_least: float = 0) -> Wait | Ended:
        self._errors += 1
        if self._errors > self.policy.max_errors or self._refusals > self.policy.max_refusals:
            return Ended(Outcome.LOST, f"{self._errors} questions in a row failed, the last one: {message}")
        if now >= self.deadline:
            ended = self._timed_out(now)
            return replace(ended, message=f"{ended.message}. The last question failed: {message}")
        backoff = min(self.policy.min_seconds * 2 ** (self._errors - 1), self.policy.max_seconds)
        return self._wait(max(backoff, at_least), now)

    def due_in(self, now: datetime) -> float:
        """Return the seconds for which no result is to be expected; 0 in the time in which such tasks end."""
        age = (now - self.submitted_at).total_seconds()
        earliest, latest = self.window
        return max(earliest - age, age * LATE_SHARE if age > latest else 0, 0)

    def seconds_left(self, now: datetime) -> float:
        """Return the seconds until the deadline, below 0 once it has passed."""
        return (self.deadline - now).total_seconds()

    def _pause(self, now: datetime) -> float:
        return min(max(self.due_in(now), self.policy.min_seconds), self.policy.max_seconds)

    def _wait(self, seconds: float, now: datetime) -> Wait:
        spread = seconds * (1 + JITTER * (2 * self._spread() - 1))
        return Wait(max(0.0, min(spread, self.seconds_left(now))))

    def _timed_out(self, now: datetime) -> Ended:
        minutes = (now - self.submitted_at).total_seconds() / 60
        return Ended(
            Outcome.TIMED_OUT,
            f"Task {self.task_id} had not finished {minutes:.1f} minutes after it was accepted",
        )


def _ended(task: Task) -> Ended:
    bill = None if task.bill is None else task.bill.model_dump(mode="json")
    if not task.succeeded:
        return Ended(Outcome.FAILED, task.message or "Kling gave no reason", bill=bill)
    if not any(one.url or (one.type in LIBRARY_ITEMS and one.id) for one in task.outputs):
        message = f"Task {task.id} succeeded without a result"
        return Ended(Outcome.NO_RESULT, message, bill=bill, answer=task.public_answer())
    video = task.video
    return Ended(
        Outcome.SUCCEEDED,
        bill=bill,
        seconds=video.duration if video else None,
        vendor_seconds=task.seconds,
        video_url=_unsigned(video.url) if video else None,
        outputs=[_facts(one) for one in task.outputs],
    )


def _facts(output: Output) -> dict[str, Any]:
    facts = {
        "type": output.type,
        "id": output.id,
        "name": output.name,
        "group": output.group,
        "seconds": output.duration,
        "url": _unsigned(output.url),
        "watermark": bool(output.watermark_url),
        "formats": sorted(output.other_urls),
    }
    return {name: value for name, value in facts.items() if value}


def _unsigned(url: str) -> str:
    return url.partition("?")[0]
