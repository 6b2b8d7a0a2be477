"""Everything that can be set for jobs, once: operators, task groups, the compact batch and the docs are made of it.

A row says what an option is called, what it means, and which tasks take it. Where it names a setting of the workflow,
nothing else has to be told of it. Light, since DAG files load it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from math import isfinite
from typing import Any

from airflow_provider_klingvideo._json import read_json
from airflow_provider_klingvideo.errors import Fault, KlingVideoError, quoted

DEFAULT_CONNECTION = "klingai_default"
DAY = 24 * 3600.0
ALWAYS = "always"
ON_INVALID_ROWS = ("refuse", "skip")
TRUE, FALSE = ("true", "1", "yes", "on"), ("false", "0", "no", "off", "")


class OptionError(KlingVideoError):
    """An option has a value that makes no sense."""

    kind = "option"
    default_advice = "Correct the argument of the task; nothing was ordered"


class Required:
    """Stands in the place of a default where there is none."""


class Unset:
    """Stands in the place of an argument that nobody has set: Airflow's ``default_args`` decide, then our default."""


UNSET: Any = Unset()


def seconds(value: Any) -> float:
    """Read a duration: a number of seconds, its text, or a timedelta."""
    return _at_least(0, value.total_seconds() if isinstance(value, timedelta) else float(value))


def whole(value: Any) -> int:
    """Read a whole number, or its text."""
    number = float(value)
    if number != int(number):
        raise ValueError
    return int(number)


def count(value: Any) -> int:
    """Read a whole number above 0, or its text."""
    return int(_at_least(1, whole(value)))


def share(value: Any) -> float:
    """Read a share, or its text."""
    number = _at_least(0, float(value))
    if number > 1:
        raise ValueError
    return number


def truth(value: Any) -> bool:
    """Read a truth value, or its text."""
    text = str(value).strip().lower()
    if text not in (*TRUE, *FALSE):
        raise ValueError
    return text in TRUE


def fail_or_allow(value: Any) -> str:
    """Read ``fail`` or ``allow``."""
    return _one_of(("fail", "allow"), value)


def order_or_fail(value: Any) -> str:
    """Read ``order`` or ``fail``."""
    return _one_of(("order", "fail"), value)


def refuse_or_skip(value: Any) -> str:
    """Read what becomes of a batch with invalid rows: ``refuse`` or ``skip``."""
    return _one_of(ON_INVALID_ROWS, value)


def units(value: Any) -> str:
    """Read a number of units, or its text, as the text of a decimal number."""
    number = Decimal(str(value).strip())
    _at_least(0, float(number))
    return f"{number:f}"


def above(value: Any) -> str:
    """Read above which price a person is asked: a number of units, or ``always``."""
    return ALWAYS if value == ALWAYS else units(value)


def cancel_or_order(value: Any) -> str:
    """Read what becomes of a job that nobody answers for: ``cancel`` or ``order``."""
    return _one_of(("cancel", "order"), value)


def people(value: Any) -> list[dict[str, str]]:
    """Read who may answer: ids with commas or as a list, or ``id`` and ``name`` of each, or the JSON text of either."""
    given = read_json(value) if isinstance(value, str) and value.lstrip().startswith(("[", "{")) else value
    entries = given.split(",") if isinstance(given, str) else [given] if isinstance(given, Mapping) else list(given)
    found = [_person(entry) for entry in entries]
    if not found:
        # Nobody at all would mean everybody to Airflow.
        raise ValueError
    return found


def _person(given: Any) -> dict[str, str]:
    known = given if isinstance(given, Mapping) else {"id": given}
    user = str(known["id"]).strip()
    if not user:
        raise ValueError
    return {"id": user, "name": str(known.get("name") or user)}


def _at_least(least: float, number: float) -> float:
    if not isfinite(number) or number < least:
        raise ValueError
    return number


def _one_of(names: Sequence[str], value: Any) -> str:
    if value not in names:
        raise ValueError
    return str(value)


LEGAL: Mapping[Callable[[Any], Any], str] = {
    seconds: "a number of seconds, 0 or more",
    whole: "a whole number",
    count: "a whole number, 1 or more",
    share: "a number from 0 to 1",
    truth: "true or false",
    units: "a number of units, 0 or more",
    fail_or_allow: "fail or allow",
    order_or_fail: "order or fail",
    refuse_or_skip: "refuse or skip",
    above: "a number of units, 0 or more, or always",
    cancel_or_order: "cancel or order",
    people: "ids of Airflow's users, or a list of objects with id and name",
}


@dataclass(frozen=True)
class Option:
    """One row.

    :param name: of the argument.
    :param words: what it means, as docstrings and docs say it.
    :param tasks: the names of the tasks that take it; see :data:`TASKS`.
    :param default: what holds where nothing is said.
    :param is_templated: whether Airflow renders it.
    :param is_json: whether it is shown as JSON once it is rendered.
    :param setting: the field of :class:`~airflow_provider_klingvideo.workflow.StepSettings` that it sets.
    :param read: makes its value of what a person or a template gives; raises ValueError or TypeError.
    """

    name: str
    words: str
    tasks: tuple[str, ...]
    default: Any = None
    is_templated: bool = True
    is_json: bool = False
    setting: str | None = None
    read: Callable[[Any], Any] | None = None

    def value(self, given: Any) -> Any:
        """Read what was given; empty counts as not given.

        :raises OptionError: it makes no sense.
        """
        if given is None or given == "":
            return None if self.default is Required else self.default
        try:
            return self.read(given) if self.read else given
        except (ArithmeticError, LookupError, TypeError, ValueError):
            legal = LEGAL[self.read] if self.read else ""
            raise OptionError(Fault(self.name, f"{quoted(given)} makes no sense", legal)) from None


STATE_TASKS = ("created", "validated", "queued", "generating", "generation", "post_processing", "completed")
ENDS = ("failed", "cancelled", "verdict")
WHOLE = ("video", "videos")
"""Tasks that take a job, or many jobs, through all states."""
BATCH = ("rows", "checked", "batch_verdict")
CHECKS = ("rows", "checked")
"""Tasks that check the requests of a batch before the first of them is ordered."""
TASKS = (*STATE_TASKS, *ENDS, *WHOLE, *BATCH)


def _of(*tasks: str) -> tuple[str, ...]:
    """The task of a state, and those that do its work for whole jobs."""
    return (*tasks, *WHOLE)


OPTIONS: tuple[Option, ...] = (
    Option(
        "job",
        "the job: the output of an earlier task of it, or its id. Empty: the job of this task group and map index.",
        (*STATE_TASKS[1:], *ENDS),
    ),
    Option(
        "job_key",
        "tells several jobs of one DAG run apart; default: the id of the task group, outside of groups the task.",
        TASKS,
    ),
    Option("klingai_conn_id", "the connection.", TASKS, DEFAULT_CONNECTION),
    Option(
        "output_path",
        "folder for records and videos, a path or object storage URI; default: ``[klingvideo] output_path``.",
        TASKS,
    ),
    Option(
        "transitions",
        "another transition table, state name to names; default: the table of this product.",
        TASKS,
        is_templated=False,
    ),
    Option(
        "batch",
        "name of the batch whose rows the jobs come from: they lie in a folder of this name, not of the DAG run, and "
        "are known by the keys of their rows. Empty: the job is known by its place in the DAG run.",
        TASKS,
    ),
    Option(
        "request",
        "the video that is wanted: ``prompt``, and any of ``kind``, ``model``, ``duration``, ``resolution``, "
        "``aspect_ratio``, ``audio``, ``first_frame`` ... (see the guide on requests). Values that are None or empty "
        "count as not given.",
        ("created", "video"),
        Required,
        is_json=True,
    ),
    Option(
        "budget_units",
        "units that the jobs of a budget may spend together; empty or None for no budget. A job that the whole budget "
        "cannot cover fails when it is validated, one that finds it short waits in the queue.",
        (*_of("validated"), *CHECKS),
        read=units,
    ),
    Option(
        "budget_key",
        "tells budgets apart: jobs with the same key below the same ``output_path`` share one, ``{{ ds[:7] }}`` makes "
        "one for each month; default: one for each DAG run.",
        (*_of("validated"), *CHECKS),
    ),
    Option(
        "unknown_price",
        "what to do with a job of a budget whose price is on no list: ``fail``, or ``allow`` it and count what Kling "
        "will have billed.",
        (*_of("validated"), *CHECKS),
        "fail",
        read=fail_or_allow,
    ),
    Option(
        "queue_timeout",
        "seconds after which a job that got no slot or no budget is cancelled.",
        _of("queued"),
        DAY,
        setting="queue_seconds",
        read=seconds,
    ),
    Option(
        "priority",
        "of the jobs that wait with the same connection, those with a higher number go first, and of the same number "
        "the older ones.",
        _of("queued"),
        0,
        read=whole,
    ),
    Option(
        "ask_above",
        "units: a person is asked, in Airflow's page of required actions, before a job is ordered that costs more or "
        "whose price is unknown; ``always`` asks about every job, empty or None about none. Not for compact batches.",
        _of("queued"),
        read=above,
    ),
    Option(
        "assigned_users",
        "who may answer: ids of Airflow's users with commas or as a list, or a list of objects with ``id`` and "
        "``name``; empty for everybody who may answer in this DAG.",
        _of("queued"),
        is_json=True,
        read=people,
    ),
    Option(
        "answer_timeout",
        "seconds for which an answer is waited for; they do not count for ``queue_timeout``.",
        _of("queued"),
        DAY,
        read=seconds,
    ),
    Option(
        "on_no_answer",
        "what becomes of a job that nobody has answered for in time: ``cancel`` it, or ``order`` it.",
        _of("queued"),
        "cancel",
        read=cancel_or_order,
    ),
    Option(
        "take",
        "the number of the take; a number higher than that of the last one orders, and pays, another video for the "
        "same request.",
        _of("queued", "generating"),
        1,
        setting="take",
        read=count,
    ),
    Option(
        "regenerate_failed",
        "order another video where Kling has confirmed that the last task failed.",
        _of("generating"),
        False,
        setting="regenerate_failed",
        read=truth,
    ),
    Option(
        "on_changed_request",
        "what to do when the job, run again, asks for something else than the video that was paid before: ``order`` "
        "another one, or ``fail`` and spend nothing.",
        _of("generating"),
        "order",
        setting="on_changed_request",
        read=order_or_fail,
    ),
    Option(
        "repeat_unanswered",
        "make a paid call other than the order itself (a look for faces) again where its answer was lost and Kling "
        "cannot be asked, at the risk of paying twice for it.",
        _of("generating"),
        False,
        setting="repeat_unanswered",
        read=truth,
    ),
    Option(
        "slot_timeout",
        "seconds for which Kling may refuse a job for want of a slot; the wait is deferred.",
        _of("generating"),
        DAY,
        setting="slot_seconds",
        read=seconds,
    ),
    Option(
        "generation_timeout",
        "seconds that Kling may take, counted from the moment when it accepted the task, over all tries.",
        _of("validated", "generation"),
        3600.0,
        setting="generation_seconds",
        read=seconds,
    ),
    Option(
        "render_plan",
        "what is made of a video, and what is checked about it: the fields of "
        ":class:`~airflow_provider_klingvideo.media.RenderPlan`, a list of outputs, or the JSON text of either; empty "
        "for ``[klingvideo] render_plan``, which by default makes master, poster, preview and contact sheet. An "
        "invalid plan fails before anything is spent.",
        (*_of("validated", "post_processing"), *CHECKS),
        is_json=True,
        setting="plan",
    ),
    Option(
        "deferrable",
        "wait in the triggerer instead of at a worker.",
        _of("generation"),
        True,
        is_templated=False,
        read=truth,
    ),
    Option(
        "chunk",
        "which rows, as the task that reads them returns it; None for all.",
        ("videos",),
        is_json=True,
    ),
    Option(
        "patience",
        "seconds; what is due sooner is waited for at the worker: leaving it and coming back takes about as long.",
        ("videos",),
        45.0,
        is_templated=False,
        read=seconds,
    ),
    Option(
        "rows",
        "the path or URI of a CSV, JSONL, JSON or Parquet file, or a list of requests. A column ``key`` names each "
        "row; without it the key is made of what the row asks for.",
        ("rows",),
        Required,
        is_json=True,
    ),
    Option(
        "on_invalid_rows",
        "what to do with a batch from rows when some of them cannot be ordered: ``refuse`` it, so that nothing is "
        "ordered, or ``skip`` these rows and order the others. Either way all faults are told.",
        ("rows",),
        "refuse",
        read=refuse_or_skip,
    ),
    Option(
        "chunk_size",
        "rows for each task of a compact batch; None returns the requests, for one task or task group each.",
        ("rows",),
        is_templated=False,
        read=count,
    ),
    Option(
        "requests",
        "the requests of the batch, in their order; for a ``batch`` whose rows were read what the task that read them "
        "has returned.",
        ("checked", "batch_verdict"),
        Required,
        is_json=True,
    ),
    Option(
        "max_failed_share",
        "the share of jobs that did not succeed, 0 to 1, up to which the batch counts as a success; 0 lets no job "
        "fail, 1 lets all fail. Cancelled jobs did not fail.",
        ("videos", "batch_verdict"),
        0.0,
        is_templated=False,
        read=share,
    ),
)


def options_of(task: str) -> Iterator[Option]:
    """Return the options that a task takes.

    :param task: one of :data:`TASKS`.
    """
    return (option for option in OPTIONS if task in option.tasks)


def settings_from(task: Any, options: Sequence[Option]) -> dict[str, Any]:
    """Return the settings of the workflow that a task sets itself.

    :param task: has the options as attributes, rendered.
    :param options: those that it takes.
    :raises OptionError: a value makes no sense.
    """
    return {option.setting: option.value(getattr(task, option.name)) for option in options if option.setting}


def untemplated(options: Sequence[Option], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return those options, read, that no template can change any more: a DAG file with nonsense is refused.

    :param given: values by the names of options; others are passed over.
    :raises OptionError: a value makes no sense.
    """
    return {one.name: one.value(given[one.name]) for one in options if not one.is_templated and one.name in given}


def documented(options: Sequence[Option]) -> str:
    """Return the lines of a docstring that tell of options."""
    return "\n".join(
        f"    :param {one.name}: {'(templated) ' if one.is_templated else ''}{one.words}" for one in options
    )
