"""What every error of this project tells: the cause, Kling's own words, the money, and the next step.

The base lies below all rooms, so that `kling`, `media` and `workflow` raise the same kind of error without knowing
one another.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from enum import StrEnum
from typing import Any, ClassVar

from airflow_provider_klingvideo._urls import without_signatures
from airflow_provider_klingvideo._words import harmless, printable

LONGEST_QUOTE = 60
SHOWN_FAULTS = 20


class Money(StrEnum):
    """What is known about money at the moment of an error."""

    NONE = "none"
    MAYBE = "maybe"
    BILLED = "billed"

    @property
    def sentence(self) -> str:
        """One sentence for a person."""
        return _MONEY_SENTENCES[self]


_MONEY_SENTENCES = {
    Money.NONE: "No money was spent.",
    Money.MAYBE: "A paid task may exist at Kling.",
    Money.BILLED: "Kling has billed this task.",
}


@dataclass(frozen=True)
class Fault:
    """Why something that came in is not taken.

    :param where: the place in it: line and column, field, file, stream.
    :param what: what is wrong there, with the value as :func:`quoted` shows it.
    :param legal: what may stand there.
    """

    where: str
    what: str
    legal: str

    def __str__(self) -> str:
        """Where, what, and what is legal: one clause."""
        return f"{self.where}: {self.what} (legal: {self.legal})"


def quoted(value: object) -> str:
    """Return a value for a message: as JSON names it, on one line, without what signs an address, cut when long."""
    shown = _as_json(without_signatures(value))
    return shown if len(shown) <= LONGEST_QUOTE else f"{shown[: LONGEST_QUOTE - 4]}...{shown[-1]}"


def _as_json(value: object) -> str:
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_as_json(name)}: {_as_json(one)}' for name, one in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_as_json, value))}]"
    return repr(value.isoformat() if isinstance(value, date | time) else value)


def named(name: object) -> str:
    """Return a name for a message: between backticks, on one line, cut when it is long."""
    shown = harmless(str(name))
    return f"`{shown if len(shown) <= LONGEST_QUOTE else f'{shown[: LONGEST_QUOTE - 3]}...'}`"


def _clauses(faults: Sequence[Fault]) -> str:
    rest = len(faults) - SHOWN_FAULTS
    return "; ".join([*map(str, faults[:SHOWN_FAULTS]), *([f"and {rest} more"] if rest > 0 else [])])


class KlingVideoError(Exception):
    """Base of all errors of this project.

    :param message: what went wrong, one sentence without a full stop at its end being required; of something that came
        in and is not taken, all its faults. Names of files and words of programs and servers in it are made harmless.
    :param code: Kling's business code, where one was answered (kling-api section 3).
    :param vendor_message: Kling's own words, without control characters and signed queries.
    :param http_status: the HTTP status of the answer, where there was one.
    :param request_id: Kling's request id, for its support.
    :param money: whether money was spent; defaults to the class's ``default_money``.
    :param retryable: whether the same step can succeed later without a person's help; defaults to the class's value.
    :param advice: what the user should do next; defaults to the class's ``default_advice``.
    :param retry_after: seconds that Kling asked to wait.
    """

    kind: ClassVar[str] = "error"
    default_money: ClassVar[Money] = Money.NONE
    default_retryable: ClassVar[bool] = False
    default_advice: ClassVar[str] = ""

    def __init__(
        self,
        message: str | Fault | Sequence[Fault],
        *,
        code: int | None = None,
        vendor_message: str | None = None,
        http_status: int | None = None,
        request_id: str | None = None,
        money: Money | None = None,
        retryable: bool | None = None,
        advice: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        faults = (message,) if isinstance(message, Fault) else () if isinstance(message, str) else tuple(message)
        self.faults: tuple[Fault, ...] = faults
        self.message = printable(message if isinstance(message, str) else _clauses(faults))
        super().__init__(self.message)
        self.code = code
        self.vendor_message = vendor_message and harmless(vendor_message)
        self.http_status = http_status
        self.request_id = request_id and harmless(request_id)
        self.money = self.default_money if money is None else money
        self.retryable = self.default_retryable if retryable is None else retryable
        self.advice = self.default_advice if advice is None else advice
        self.retry_after = retry_after

    def __str__(self) -> str:
        """Cause, Kling's words, money, next step: one line."""
        facts = [
            f"code {self.code}" if self.code is not None else "",
            f"HTTP {self.http_status}" if self.http_status is not None else "",
            f"request {self.request_id}" if self.request_id else "",
        ]
        known = ", ".join(fact for fact in facts if fact)
        words = f'Kling says: "{self.vendor_message}"' if self.vendor_message else ""
        if known:
            words = f"{words} ({known})" if words else f"({known})"
        parts = [_sentence(self.message), _sentence(words), self.money.sentence, _sentence(self.advice)]
        return " ".join(part for part in parts if part)

    def detail(self) -> dict[str, Any]:
        """The same facts as a small JSON object, for the job record; facts that are not known are left out."""
        facts: dict[str, Any] = {
            "kind": self.kind,
            "message": self.message,
            "code": self.code,
            "vendor_message": self.vendor_message,
            "http_status": self.http_status,
            "request_id": self.request_id,
            "money": self.money.value,
            "retryable": self.retryable,
            "advice": self.advice or None,
        }
        return {key: value for key, value in facts.items() if value is not None}


def _sentence(text: str) -> str:
    text = text.strip()
    return text if not text or text.endswith((".", "!", "?")) else f"{text}."
