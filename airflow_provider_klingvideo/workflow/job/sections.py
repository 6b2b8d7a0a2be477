"""What the product itself remembers of a job, in typed sections; ``metadata`` is the user's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from airflow_provider_klingvideo.kling.wire.bills import Bill


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
