"""What Kling has billed: units of resource packs, or money. Neither is ever added to the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from airflow_provider_klingvideo.kling.wire.operation import Operation
from airflow_provider_klingvideo.kling.wire.reading import amount_of, list_of, mapping_of, text_of

T = TypeVar("T")

Amount = Annotated[Decimal, Field(ge=0, allow_inf_nan=False), AfterValidator(lambda amount: Decimal(f"{amount:f}"))]
"""A decimal number, as text where it is stored: a float would round it."""
Cash = dict[str, Amount]
"""Amounts by currency; an empty name where Kling names none."""

UNNAMED = "of a currency that Kling does not name"


class Bill(BaseModel):
    """What one task or call, or several of them, have cost.

    :param units: of resource packs; None when the bill says nothing about units.
    :param cash: money that was taken, by currency.
    :param list_price: what the same costs without a discount, by currency.
    :param unclear: what Kling calls neither units nor money; 0 for nothing.
    """

    model_config = ConfigDict(frozen=True)

    units: Amount | None = None
    cash: Cash = Field(default_factory=dict)
    list_price: Cash = Field(default_factory=dict)
    unclear: Amount = Decimal(0)

    @property
    def is_free(self) -> bool:
        """Whether nothing was taken."""
        return not (self.units or self.unclear or any(self.cash.values()))

    def __add__(self, other: Bill) -> Bill:
        """Add up what can be added: units to units, and money to money of the same currency."""
        known = [one for one in (self.units, other.units) if one is not None]
        return Bill(
            units=sum(known, Decimal(0)) if known else None,
            cash=_sum(self.cash, other.cash),
            list_price=_sum(self.list_price, other.list_price),
            unclear=self.unclear + other.unclear,
        )

    def __str__(self) -> str:
        """Say it for a person, for example ``1.5 units and 0.21 USD``."""
        parts = [
            *([f"{self.units:f} units"] if self.units else []),
            *self._money(),
            *([f"{self.unclear:f} of a kind that Kling does not name"] if self.unclear else []),
        ]
        return " and ".join(parts) or "0 units"

    @property
    def columns(self) -> dict[str, str | None]:
        """The same for tables: ``billed_units``, a decimal number, and ``billed_cash``, for example ``0.21 USD``."""
        return {
            "billed_units": None if self.units is None else f"{self.units:f}",
            "billed_cash": " and ".join(self._money()) or None,
        }

    def _money(self) -> list[str]:
        return [f"{amount:f} {currency or UNNAMED}" for currency, amount in self.cash.items() if amount]


def _sum(one: Cash, other: Cash) -> Cash:
    return {name: one.get(name, Decimal(0)) + other.get(name, Decimal(0)) for name in {**one, **other}}


def bill_of(data: Any) -> Bill | None:
    """Read the bill of a task, or of a call that is answered at once, in the words of either API family.

    :param data: the task, or the answer's ``data``.
    :returns: None while Kling does not say.
    """
    answer = mapping_of(data)
    entries = [_entry(one) for one in list_of(answer.get("billing"))]
    known = [one for one in (*entries, *(() if any(entries) else (_legacy(answer),))) if one]
    return total(known)


def total(bills: Iterable[Bill]) -> Bill | None:
    """Add bills up; None for none."""
    found: Bill | None = None
    for bill in bills:
        found = bill if found is None else found + bill
    return found


def _entry(entry: Mapping[str, Any]) -> Bill | None:
    """Read an entry of ``billing`` (kling-api section 6.4)."""
    amount = amount_of(entry.get("amount"))
    return None if amount is None else _BY_CHARGE_TYPE.get(text_of(entry.get("charge_type")), _unclear)(amount, entry)


def _units(amount: Decimal, _: Mapping[str, Any]) -> Bill:
    return Bill(units=amount)


def _cash(amount: Decimal, entry: Mapping[str, Any]) -> Bill:
    currency, list_price = text_of(entry.get("currency")), amount_of(entry.get("list_price"))
    return Bill(cash={currency: amount}, list_price={} if list_price is None else {currency: list_price})


def _unclear(amount: Decimal, _: Mapping[str, Any]) -> Bill:
    # Of a free task Kling does not say what it has not charged.
    return Bill(unclear=amount) if amount else Bill(units=amount)


_BY_CHARGE_TYPE: Mapping[str, Callable[[Decimal, Mapping[str, Any]], Bill]] = {"unit": _units, "cash": _cash}


def _legacy(answer: Mapping[str, Any]) -> Bill | None:
    """Read the deductions of the legacy family (kling-api section 7.1); they name no currency."""
    units, balance = amount_of(answer.get("final_unit_deduction")), mapping_of(answer.get("final_balance_deduction"))
    quota = amount_of(balance.get("quota"))
    if not quota:
        return None if units is None else Bill(units=units)
    return _cash(quota, balance) + Bill(units=units or None)


@dataclass(frozen=True)
class Billed(Generic[T]):
    """An answer with its bill.

    :param result: what the call is made for.
    :param bill: what it cost; None where Kling does not say.
    """

    result: T
    bill: Bill | None


def with_bill(operation: Operation[T]) -> Operation[Billed[T]]:
    """Return an operation whose result comes with its bill."""
    parse = operation.parse
    fields: dict[str, Any] = {**vars(operation), "parse": lambda data: Billed(parse(data), bill_of(data))}
    return Operation(**fields)
