"""The job record: what travels between tasks and lies beside the video as ``job.json``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, model_validator

from airflow_provider_klingvideo.kling.wire.bills import Bill, total
from airflow_provider_klingvideo.storage.text import storable_json
from airflow_provider_klingvideo.workflow.job.migrations import SCHEMA_VERSION, migrated
from airflow_provider_klingvideo.workflow.job.paid import CREATE, PaidCall, UtcDatetime, utc_now
from airflow_provider_klingvideo.workflow.job.sections import (
    Approval,
    Budget,
    CheckedRequest,
    ExpectedPrice,
    Files,
    Origin,
    Result,
)
from airflow_provider_klingvideo.workflow.job.states import TERMINAL_STATES, WorkflowState

# What the engine alone may change: data of a transition never names these.
ENGINE_FIELDS = frozenset({"schema_version", "id", "state", "history", "calls", "created_at", "updated_at"})


class NotValidatedError(ValueError):
    """Something is asked of a job that only its validation finds out."""


class HistoryEntry(BaseModel):
    """One transition of a job: ``{from, to, timestamp, data}``."""

    model_config = ConfigDict(populate_by_name=True)

    from_state: WorkflowState = Field(alias="from")
    to_state: WorkflowState = Field(alias="to")
    timestamp: UtcDatetime
    data: dict[str, Any] = Field(default_factory=dict)


class WorkflowJob(BaseModel):
    """One video that somebody wants, and everything that is known about it.

    :param schema_version: of the record's form; records of all earlier ones load.
    :param id: deterministic where the job comes from a DAG run; the external id at Kling is made from it.
    :param prompt: what the video shows.
    :param params: the other parameters of the request (``kind``, ``model``, ``duration`` ...), as the user gave them.
    :param klingai_job_id: Kling's id of the task that is followed now.
    :param external_task_id: our id of that task.
    :param video_url: where Kling offered the video, without its signed query.
    :param processed_url: where the finished master lies.
    :param error: why the job failed or was cancelled, one readable line.
    :param failure: the same as data: kind, code, vendor_message, money, retryable, advice, state.
    :param metadata: the user's; the product never looks into it.
    :param origin: where the job comes from.
    :param request: what validation has found out about the request, None before.
    :param estimate: what the request is expected to cost, None when unknown.
    :param budget: what it may spend together with others, None for no budget.
    :param approval: whether a person has to approve it and what was said, None where nobody has to.
    :param priority: of jobs that wait for a slot those with a higher number go first.
    :param transitions: the transition table that it goes by, None for the product's own.
    :param calls: every call that cost or may have cost, in the order in which they were intended.
    :param result: what Kling has made, None before.
    :param files: what lies in the store.
    :param vendor_answer: Kling's answer when it makes no sense, for its support.
    :param revision: 1, and one more each time an ended job is taken up again.
    """

    model_config = ConfigDict(populate_by_name=True)

    schema_version: int = SCHEMA_VERSION
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
    origin: Origin = Field(default_factory=Origin)
    request: CheckedRequest | None = None
    estimate: ExpectedPrice | None = None
    budget: Budget | None = None
    approval: Approval | None = None
    priority: int = 0
    transitions: dict[str, list[str]] | None = None
    calls: list[PaidCall] = Field(default_factory=list)
    result: Result | None = None
    files: Files = Field(default_factory=Files)
    vendor_answer: dict[str, Any] | None = None
    revision: int = 1
    created_at: UtcDatetime = Field(default_factory=utc_now)
    updated_at: UtcDatetime = Field(default_factory=utc_now)
    history: list[HistoryEntry] = Field(default_factory=list)
    # What other workers have sent since this one has read the record.
    _sends_of_others: set[str] = PrivateAttr(default_factory=set)

    @model_validator(mode="before")
    @classmethod
    def _of_any_version(cls, data: Any) -> Any:
        # What is made anew in Python names no history; every record that was ever stored does.
        is_mapping = isinstance(data, Mapping)
        is_stored = is_mapping and ("schema_version" in data or ("history" in data and "calls" not in data))
        return migrated(data) if is_stored else data

    @property
    def is_terminal(self) -> bool:
        """Whether the job has ended."""
        return self.state in TERMINAL_STATES

    @property
    def path(self) -> list[WorkflowState]:
        """The states that the job has been in, in order, the present one last."""
        return [WorkflowState.CREATED, *(entry.to_state for entry in self.history)]

    @property
    def submissions(self) -> list[PaidCall]:
        """The create requests among the calls, the newest last."""
        return [call for call in self.calls if call.what == CREATE]

    @property
    def kind(self) -> str:
        """The product that a validated job asks for.

        :raises NotValidatedError: before validation.
        """
        return self.checked.kind

    @property
    def model(self) -> str:
        """The model that a validated job asks for, empty where the product has none.

        :raises NotValidatedError: before validation.
        """
        return self.checked.model

    @property
    def checked(self) -> CheckedRequest:
        """What validation has found out.

        :raises NotValidatedError: before validation.
        """
        if self.request is None:
            raise NotValidatedError(f"Job {self.id} is {self.state} and was never validated.")
        return self.request

    @property
    def bill(self) -> Bill | None:
        """What Kling has billed for all calls of the job, lost answers with their price; None when nothing is known."""
        return total(bill for call in self.calls if (bill := call.counted) is not None)

    @property
    def bill_columns(self) -> dict[str, str | None]:
        """The same for tables, see :attr:`~airflow_provider_klingvideo.kling.wire.bills.Bill.columns`."""
        return (self.bill or Bill()).columns

    @property
    def billed_units(self) -> Decimal | None:
        """The units of that bill; None where it says nothing about units."""
        return self.bill.units if self.bill else None

    @property
    def sends(self) -> set[str]:
        """The tokens of all sends of calls that may have reached Kling and are not known to be refused."""
        return {token for call in self.calls for token, state in call.sends.items() if state == "sent"}

    def hear_of_sends(self, tokens: set[str]) -> None:
        """Remember what other workers have sent since this one has read the record."""
        self._sends_of_others |= tokens

    @property
    def is_ordered_by_others(self) -> bool:
        """Whether another worker may have ordered something since this one has read the record."""
        return bool(self._sends_of_others & self.sends)

    def call_of_task(self, task_id: str) -> PaidCall | None:
        """Return the create that made one of Kling's tasks."""
        return next((call for call in reversed(self.submissions) if call.task_id == task_id), None)

    def entered_at(self, state: WorkflowState) -> datetime | None:
        """When the job last entered a state; None when it never did."""
        times = [entry.timestamp for entry in self.history if entry.to_state is state]
        if not times and state is WorkflowState.CREATED:
            return self.created_at
        return times[-1] if times else None

    def as_json(self) -> dict[str, Any]:
        """The record as JSON values, the form in which it is stored and travels; any text in it can be stored."""
        values: dict[str, Any] = storable_json(self.model_dump(mode="json", by_alias=True))
        return values
