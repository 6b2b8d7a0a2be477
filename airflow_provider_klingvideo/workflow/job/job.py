"""The job record: what travels between tasks and lies beside the video as ``job.json``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import uuid4

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from airflow_provider_klingvideo.workflow.job.states import TERMINAL_STATES, WorkflowState

UtcDatetime = Annotated[AwareDatetime, AfterValidator(lambda value: value.astimezone(UTC))]

# What the engine alone may change: data of a transition never names these.
ENGINE_FIELDS = frozenset({"id", "state", "history", "created_at", "updated_at"})


def utc_now() -> datetime:
    """The present time, aware, in UTC."""
    return datetime.now(UTC)


class HistoryEntry(BaseModel):
    """One transition of a job: ``{from, to, timestamp, data}``."""

    model_config = ConfigDict(populate_by_name=True)

    from_state: WorkflowState = Field(alias="from")
    to_state: WorkflowState = Field(alias="to")
    timestamp: UtcDatetime
    data: dict[str, Any] = Field(default_factory=dict)


class Submission(BaseModel):
    """One create request: recorded before it is sent, completed with what the vendor answered.

    :param external_task_id: the id that we chose; the vendor refuses a second task with it (kling-api section 5.1).
    :param fingerprint: hash of what was asked for.
    :param generation_number: 1, and one more for every repetition that a person or a policy asked for.
    :param task_id: the vendor's id, None while its acceptance is not known.
    :param units: what it costs: the estimate, then what the vendor billed; a decimal number as text, None when unknown.
    :param outcome: ``refused`` (nothing was created), ``succeeded`` or ``failed`` once the vendor has said so; None
        while a paid task may exist.
    """

    external_task_id: str
    fingerprint: str
    generation_number: int = Field(ge=1)
    task_id: str | None = None
    units: str | None = None
    outcome: Literal["refused", "succeeded", "failed"] | None = None
    intended_at: UtcDatetime = Field(default_factory=utc_now)
    accepted_at: UtcDatetime | None = None


class WorkflowJob(BaseModel):
    """One video that somebody wants, and everything that is known about it.

    :param id: deterministic where the job comes from a DAG run; the vendor's external id is made from it.
    :param prompt: what the video shows.
    :param params: the other parameters of the request (``kind``, ``model``, ``duration`` ...), as the user gave them.
    :param klingai_job_id: the vendor's id of the task that is followed now.
    :param external_task_id: our id of that task.
    :param video_url: where the vendor offered the video, without its signed query.
    :param processed_url: where the finished master lies.
    :param error: why the job failed or was cancelled, one readable line.
    :param failure: the same as data: kind, code, vendor_message, money, retryable, advice, state.
    :param submissions: every create request of this job, the newest last.
    :param revision: 1, and one more each time an ended job is taken up again.
    """

    model_config = ConfigDict(populate_by_name=True)

    id: str = Field(default_factory=lambda: uuid4().hex, min_length=1)
    prompt: str = ""
    state: WorkflowState = WorkflowState.CREATED
    params: dict[str, Any] = Field(default_factory=dict)
    klingai_job_id: str | None = None
    external_task_id: str | None = None
    video_url: str | None = None
    processed_url: str | None = None
    error: str | None = None
    failure: dict[str, Any] | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)
    submissions: list[Submission] = Field(default_factory=list)
    revision: int = 1
    created_at: UtcDatetime = Field(default_factory=utc_now)
    updated_at: UtcDatetime = Field(default_factory=utc_now)
    history: list[HistoryEntry] = Field(default_factory=list)

    @property
    def is_terminal(self) -> bool:
        """Whether the job has ended."""
        return self.state in TERMINAL_STATES

    @property
    def path(self) -> list[WorkflowState]:
        """The states that the job has been in, in order, the present one last."""
        return [WorkflowState.CREATED, *(entry.to_state for entry in self.history)]

    def entered_at(self, state: WorkflowState) -> datetime | None:
        """When the job last entered a state; None when it never did."""
        times = [entry.timestamp for entry in self.history if entry.to_state is state]
        if not times and state is WorkflowState.CREATED:
            return self.created_at
        return times[-1] if times else None

    def as_json(self) -> dict[str, Any]:
        """The record as JSON values, the form in which it is stored and travels."""
        return self.model_dump(mode="json", by_alias=True)
