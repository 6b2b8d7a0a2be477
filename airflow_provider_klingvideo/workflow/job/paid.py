"""Calls that cost: what is known about each, and how two workers' knowledge of one becomes one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple
from uuid import uuid4

from pydantic import AfterValidator, AwareDatetime, BaseModel, Field, model_validator

from airflow_provider_klingvideo.errors import Money
from airflow_provider_klingvideo.kling.wire.bills import Bill

UtcDatetime = Annotated[AwareDatetime, AfterValidator(lambda value: value.astimezone(UTC))]
Send = Literal["sent", "refused"]
Verdict = Literal["succeeded", "failed"]

CREATE = "create"
"""The call that makes a task at Kling; all others are answered at once."""
KEPT_SENDS = 12
"""So many refused sends stay on record; each of them is one try of ours that cost nothing."""


class CallKey(NamedTuple):
    """What makes a call the same one on every try."""

    what: str
    fingerprint: str
    take: int


def utc_now() -> datetime:
    """The present time, aware, in UTC."""
    return datetime.now(UTC)


class PaidCall(BaseModel):
    """One call that costs: on record before it is sent, completed by what Kling answered.

    :param what: ``create``, or the name of a call without a task: ``tts``, ``identify_faces`` ...
    :param fingerprint: hash of what is asked for.
    :param take: 1, and one more for every repetition that a person or a policy asked for.
    :param external_task_id: of a create the id that we chose; Kling refuses a second task with it (kling-api section
        5.1).
    :param task_id: Kling's id of the task, None while its acceptance is not known.
    :param price: what it was expected to cost, a decimal number of units as text; None when unknown.
    :param bill: what Kling has billed; None while Kling has not said.
    :param verdict: ``succeeded`` or ``failed`` once Kling has said so; of a call without a task ``succeeded`` means
        that it was answered.
    :param answer: what a call without a task has answered, as far as it is needed later.
    :param expires_at: until when that answer is of use, None for ever.
    :param sends: every try that may have reached Kling, by a token of its own: ``sent`` until its refusal is known.
        Of the refused ones only the last stay on record.
    :param tries: how many there were.
    """

    what: str = CREATE
    fingerprint: str
    take: int = Field(default=1, ge=1)
    external_task_id: str | None = None
    task_id: str | None = None
    price: str | None = None
    bill: Bill | None = None
    verdict: Verdict | None = None
    answer: dict[str, Any] = Field(default_factory=dict)
    expires_at: UtcDatetime | None = None
    sends: dict[str, Send] = Field(default_factory=dict)
    tries: int = 0
    intended_at: UtcDatetime = Field(default_factory=utc_now)
    accepted_at: UtcDatetime | None = None

    @model_validator(mode="before")
    @classmethod
    def _of_any_version(cls, data: Any) -> Any:
        # Until records could tell money from units, every amount was one of units.
        if isinstance(data, Mapping) and data.get("billed") is not None:
            return {**data, "bill": {"units": data["billed"]}}
        return data

    @property
    def key(self) -> CallKey:
        """What makes it the same call on every try."""
        return CallKey(self.what, self.fingerprint, self.take)

    @property
    def can_be_asked_about(self) -> bool:
        """Whether Kling tells, by the id that we chose, what became of it."""
        return self.what == CREATE

    @property
    def was_taken(self) -> bool:
        """Whether Kling is known to have taken it."""
        return self.task_id is not None or self.verdict is not None

    @property
    def is_open(self) -> bool:
        """Whether it was sent, and it is not known whether Kling took it."""
        return not self.was_taken and "sent" in self.sends.values()

    @property
    def is_refused(self) -> bool:
        """Whether nothing came of it: it never was sent, or every send was refused."""
        return not self.was_taken and not self.is_open

    @property
    def is_over(self) -> bool:
        """Whether its answer is of no use any more."""
        return self.expires_at is not None and utc_now() >= self.expires_at

    @property
    def money(self) -> Money:
        """What it proves about money."""
        if self.bill is not None:
            return Money.NONE if self.bill.is_free else Money.BILLED
        if self.verdict == "succeeded" or (self.was_taken and not self.can_be_asked_about):
            return Money.BILLED
        return Money.NONE if self.is_refused else Money.MAYBE

    @property
    def units(self) -> Decimal:
        """The units that it has cost, or will cost at most as far as is known."""
        return Decimal(0) if self.is_refused else _units_of(self.bill, Decimal(self.price or 0))

    @property
    def counted(self) -> Bill | None:
        """What it counts among what was billed; None while Kling has not said, and will say it later.

        A lost answer that Kling cannot be asked about counts as paid: nobody will ever know better.
        """
        if self.bill is None and self.is_open and not self.can_be_asked_about:
            return Bill(units=self.units)
        return self.bill

    @property
    def next_token(self) -> str:
        """The token that every worker would take for the next send."""
        return f"{self.what}-{self.fingerprint}-{self.take}-{self.tries + 1}"

    def begin(self, token: str | None = None) -> str:
        """Note that it is about to be sent, and return the token of this send.

        :param token: of this send; None for one that nobody else has.
        """
        if self.is_refused:
            self.intended_at = utc_now()
        token = token or uuid4().hex[:8]
        self.sends[token] = "sent"
        self.tries += 1
        return token

    def take_back(self, token: str) -> None:
        """Forget a send that this worker has begun and may not make: its token belongs to another one."""
        del self.sends[token]
        self.tries -= 1

    def refuse(self, token: str) -> None:
        """Note that Kling refused a send, or that it never was sent: nothing was made."""
        self.sends[token] = "refused"

    def learn(self, other: PaidCall) -> None:
        """Take over what another record of the same call knows; nothing that is known gets lost by it."""
        for name in ("external_task_id", "task_id", "bill", "verdict", "accepted_at", "expires_at"):
            if getattr(self, name) is None:
                setattr(self, name, getattr(other, name))
        self.price = self.price or other.price
        self.answer = self.answer or other.answer
        self.intended_at = min(self.intended_at, other.intended_at)
        self.tries = max(self.tries, other.tries)
        refused = {token: state for token, state in other.sends.items() if state == "refused"}
        self.sends = _kept({**other.sends, **self.sends, **refused})


def listed_bill(call: PaidCall) -> Bill | None:
    """The bill of a call that Kling has taken without telling its bill: the price on the list."""
    return None if call.price is None else Bill(units=Decimal(call.price))


def _units_of(bill: Bill | None, price: Decimal) -> Decimal:
    """The units of a bill; where none is told, or not what it is about, as many as the call was expected to cost."""
    if bill is None:
        return price
    return max(bill.units or Decimal(0), price if bill.unclear else Decimal(0))


def _kept(sends: dict[str, Send]) -> dict[str, Send]:
    refused = [token for token, state in sends.items() if state == "refused"]
    dropped = set(refused[:-KEPT_SENDS])
    return {token: state for token, state in sends.items() if token not in dropped}


def merged_calls(ours: Iterable[PaidCall], theirs: Iterable[PaidCall]) -> list[PaidCall]:
    """Bring the knowledge of two workers about a job's calls together.

    :param ours: changed in place, so that whoever holds one of them knows what was learned.
    :param theirs: not changed.
    :returns: all calls, in the order in which they were intended.
    """
    known = {call.key: call for call in ours}
    for call in theirs:
        if call.key in known:
            known[call.key].learn(call)
        else:
            known[call.key] = call.model_copy(deep=True)
    return sorted(known.values(), key=lambda call: call.intended_at)


def money_of(calls: Iterable[PaidCall], told: Money = Money.NONE) -> Money:
    """What calls prove about money, the worst of them.

    :param told: what was said about it before: it is never taken back.
    """
    return max((told, *(call.money for call in calls)), key=[Money.NONE, Money.MAYBE, Money.BILLED].index)
