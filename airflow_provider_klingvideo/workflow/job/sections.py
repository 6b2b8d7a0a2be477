"""What the product itself remembers of a job, in typed sections; ``metadata`` is the user's."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from airflow_provider_klingvideo.kling.wire.bills import Bill
from airflow_provider_klingvideo.workflow.job.paid import UtcDatetime


class Section(BaseModel):
    """A part of a job record; fields of a later version are passed over."""

    model_config = ConfigDict(extra="ignore")


class Origin(Section):
    """Where a job comes from.

    :param dag_id: its DAG; None for a job that no DAG has made.
    :param run_id: the DAG run that made it last.
    :param map_index: -1 or None outside of mapped tasks.
    :param batch: the batch whose row it is.
    :param row: the key of that row.
    :param turn: the run, or clear of it, in which a row was taken up last.
    :param is_reconciled: whether the record was made anew from what Kling tells of its task.
    """

    dag_id: str | None = None
    run_id: str | None = None
    map_index: int | None = None
    batch: str | None = None
    row: str | None = None
    turn: str | None = None
    is_reconciled: bool = False


class CheckedRequest(Section):
    """What validation has found out about the request.

    :param kind: the product, for example ``text_to_video``.
    :param model: the model's name, empty where the product has none.
    :param api: the API family that serves it: ``new``, ``legacy`` or ``solutions``.
    :param warnings: what a person should know.
    """

    kind: str
    model: str = ""
    api: str = ""
    warnings: list[str] = Field(default_factory=list)


class ExpectedPrice(Section):
    """What the request is expected to cost.

    :param units: of the product's pack, a decimal number as text; None where it follows an input that only Kling sees.
    :param least: what it costs at least then, likewise.
    :param preparation: units of a paid look that has to come before the order, None where there is none.
    :param money: what ``units``, or else ``least``, cost where no pack pays for them, None where that is not known.
    :param currency: of the money.
    :param sure: how sure it is, see :class:`~airflow_provider_klingvideo.kling.Sureness`.
    :param why: what it follows from, or why it is not known.
    """

    units: str | None = None
    least: str | None = None
    preparation: str | None = None
    money: str | None = None
    currency: str | None = None
    sure: str | None = None
    why: str = ""

    @model_validator(mode="before")
    @classmethod
    def _in_dollars(cls, data: Any) -> Any:
        """Read a record of the time in which money was told in US dollars alone."""
        if isinstance(data, Mapping) and data.get("usd") is not None:
            return {"money": data["usd"], "currency": "USD", **data}
        return data


class Budget(Section):
    """What jobs may spend together.

    :param name: tells budgets apart.
    :param units: the limit, a decimal number as text.
    :param folder: where the reservations lie, a path or URI.
    :param unknown_price: what to do with a job whose price is on no list: ``fail``, or ``allow`` it and count what
        Kling will have billed.
    """

    name: str
    units: str
    folder: str
    unknown_price: str = "fail"


class Result(Section):
    """What Kling has made.

    :param video_url: where the video lies at Kling, without its signed query; None where there is none.
    :param seconds: length of the video as Kling states it.
    :param bill: what Kling has billed for the task; None when it did not say.
    :param outputs: every result: ``type``, and where it has them ``id``, ``name``, ``group``, ``seconds``, ``url``
        (without the signed query), ``watermark`` (whether it also comes with one), ``formats`` (in which others).
    """

    video_url: str | None = None
    seconds: float | None = None
    bill: Bill | None = None
    outputs: list[dict[str, Any]] = Field(default_factory=list)


class Files(Section):
    """What lies in the store.

    :param task_id: Kling's id of the task whose files these are.
    :param artifacts: every file by its name: ``path``, ``size``, ``sha256``, ``media_type`` ...; see
        :class:`~airflow_provider_klingvideo.media.Artifact`.
    :param gates: what the quality gates say.
    :param warnings: sentences for a person: outputs left out, sound missing.
    """

    task_id: str | None = None
    artifacts: dict[str, dict[str, Any]] = Field(default_factory=dict)
    gates: list[dict[str, Any]] = Field(default_factory=list)
    warnings: list[str] = Field(default_factory=list)


class ApprovalRule(Section):
    """When a person is asked before a job is ordered.

    :param above: units, a decimal number as text: a job that costs more is asked about, and one whose price is unknown;
        None for every job.
    :param users: who may answer, ``id`` and ``name`` of each; empty for everybody whom Airflow lets.
    :param seconds: how long an answer is waited for.
    :param on_no_answer: what becomes of the job then: ``cancel``, or ``order``.
    """

    above: str | None = None
    users: list[dict[str, str]] = Field(default_factory=list)
    seconds: float
    on_no_answer: Literal["cancel", "order"] = "cancel"


class Asked(Section):
    """What a person is asked about, and nothing else: another request, take or price is another question.

    :param fingerprint: of the request.
    :param take: its number.
    :param price: units, a decimal number as text; None when unknown.
    """

    fingerprint: str
    take: int
    price: str | None = None


class Question(Section):
    """A question that waits for its answer, or has it.

    :param about: what is asked.
    :param revision: of the job.
    :param until: how long an answer is waited for.
    :param opened_by: the try of a task that has shown it to people; None before.
    """

    about: Asked
    revision: int
    until: UtcDatetime
    opened_by: str | None = None


class Answer(Section):
    """What was answered.

    :param about: what was asked.
    :param is_approved: whether the job may be ordered.
    :param by: who has answered, for a person; empty where nobody did and the rule decided.
    :param user_id: the same as Airflow knows it.
    :param at: when.
    """

    about: Asked
    is_approved: bool
    by: str = ""
    user_id: str = ""
    at: UtcDatetime


class Approval(Section):
    """Whether a person has to approve the job, and what was said.

    :param rule: when somebody is asked; None for never.
    :param question: the last one.
    :param answers: all that were given, the newest last.
    :param opened_by: the last tries of a task that have shown a question to people.
    """

    rule: ApprovalRule | None = None
    question: Question | None = None
    answers: list[Answer] = Field(default_factory=list)
    opened_by: list[str] = Field(default_factory=list)

    def answer_to(self, about: Asked) -> Answer | None:
        """Return the answer to a question, None while there is none."""
        return next((answer for answer in self.answers if answer.about == about), None)

    def learn(self, others: list[Answer]) -> None:
        """Take over what was answered to other workers; what was answered to a question first holds."""
        self.answers = sorted(
            {(one.about.model_dump_json(), one.at): one for one in (*others, *self.answers)}.values(),
            key=lambda one: one.at,
        )

    @property
    def waits_until(self) -> datetime | None:
        """Until when a person was, or is, waited for; None where nobody was asked."""
        if self.question is None:
            return None
        answer = self.answer_to(self.question.about)
        return answer.at if answer else self.question.until
