"""What the account has, and what was taken from it (kling-api section 9)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from airflow_provider_klingvideo.kling.wire.operation import Operation
from airflow_provider_klingvideo.kling.wire.reading import decimal_of, list_of, mapping_of, text_of, time_of

LARGEST_PAGE = 500
CONCURRENCY = re.compile(r"-(\d+)Con(?:-|$)")


@dataclass(frozen=True)
class ResourcePack:
    """A pack of units that the account has bought."""

    name: str
    status: str
    total: Decimal | None
    remaining: Decimal | None

    @property
    def concurrency(self) -> int | None:
        """Tasks of a model that may run at once, as the name says it (kling-api section 4); None where it does not."""
        found = CONCURRENCY.search(self.name)
        return int(found[1]) if found else None

    def pays_for(self, kind: str) -> bool:
        """Whether the name says that the pack is of a kind: ``video``, ``image`` or ``try_on``."""
        return f"-{kind.replace('_', '-')}-" in f"-{self.name.lower()}-"


@dataclass(frozen=True)
class Deduction:
    """What a task cost.

    :param task_id: Kling's id of the task.
    :param product: what was made, in Kling's words.
    :param model: by which model, in Kling's words.
    :param api_key_name: name of the key that ordered it.
    :param amount: units of a pack, or money.
    :param currency: of the money; None for units.
    :param source: name of the pack, or kind of the balance.
    :param at: when.
    """

    task_id: str
    product: str
    model: str
    api_key_name: str
    amount: Decimal | None
    currency: str | None
    source: str
    at: datetime | None


@dataclass(frozen=True)
class LedgerPage:
    """A page of a ledger; ``cursor`` leads to the next one, None ends it."""

    deductions: tuple[Deduction, ...]
    cursor: str | None


def account_costs(start_ms: int, end_ms: int, pack: str | None = None) -> Operation[list[ResourcePack]]:
    """Ask for the account's packs; Kling allows one such call a second.

    :param start_ms: begin of the period, Unix milliseconds.
    :param end_ms: its end.
    :param pack: only the pack with this name.
    """
    query = {"start_time": start_ms, "end_time": end_ms, **({"resource_pack_name": pack} if pack else {})}
    return Operation("GET", "/account/costs", parse_packs, query=query)


def package_ledger(
    start_ms: int, end_ms: int, *, cursor: str | None = None, filters: Mapping[str, list[str]] | None = None
) -> Operation[LedgerPage]:
    """Ask what was taken from packs, a page of 500.

    :param start_ms: begin of the period, Unix milliseconds.
    :param end_ms: its end.
    :param cursor: of the page before; it stands for the period and the filters, too.
    :param filters: ``api_key_name``, ``product_type`` (``video``, ``image``, ``try-on``), ``package_name`` or
        ``package_id`` and the values that count.
    """
    return _ledger("package", start_ms, end_ms, cursor, filters)


def balance_ledger(
    start_ms: int, end_ms: int, *, cursor: str | None = None, filters: Mapping[str, list[str]] | None = None
) -> Operation[LedgerPage]:
    """Ask what was taken from the account's money, a page of 500.

    :param start_ms: begin of the period, Unix milliseconds.
    :param end_ms: its end.
    :param cursor: of the page before; it stands for the period and the filters, too.
    :param filters: ``api_key_name`` and the values that count.
    """
    return _ledger("balance", start_ms, end_ms, cursor, filters)


def last_thirty_days() -> tuple[int, int]:
    """Return begin and end of the period, Unix milliseconds."""
    now = datetime.now(UTC)
    return int((now - timedelta(days=30)).timestamp() * 1000), int(now.timestamp() * 1000)


def quota(packs: Iterable[ResourcePack], kind: str) -> int | None:
    """Return how many tasks of a model may run at once: the most that an active pack allows (kling-api section 4).

    :param kind: of the packs: ``video``, ``image`` or ``try_on``.
    :returns: None when no active pack of the kind says it.
    """
    said = [pack.concurrency or 0 for pack in packs if pack.status == "online" and pack.pays_for(kind)]
    return max(said, default=0) or None


def parse_packs(data: Any) -> list[ResourcePack]:
    """Read the packs of ``/account/costs``.

    :raises ValueError: when the second code, inside the data, is an error.
    """
    if mapping_of(data).get("code"):
        raise ValueError("the packs could not be read")
    return [
        ResourcePack(
            name=text_of(pack.get("resource_pack_name")),
            status=text_of(pack.get("status")),
            total=decimal_of(pack.get("total_quantity")),
            remaining=decimal_of(pack.get("remaining_quantity")),
        )
        for pack in list_of(mapping_of(data).get("resource_pack_subscribe_infos"))
    ]


def _ledger(
    name: str, start_ms: int, end_ms: int, cursor: str | None, filters: Mapping[str, list[str]] | None
) -> Operation[LedgerPage]:
    chosen = [{"key": key, "values": values} for key, values in (filters or {}).items()]
    body: dict[str, Any] = {"start_time": start_ms, "end_time": end_ms, "limit": LARGEST_PAGE, "filters": chosen}
    return Operation("POST", f"/account/billing/{name}", _page, json={"cursor": cursor} if cursor else body)


def _page(data: Any) -> LedgerPage:
    found = mapping_of(data)
    cursor = text_of(found.get("next_cursor")) if found.get("has_more") else ""
    rows = list_of(mapping_of(found.get("result")).get("detail"))
    return LedgerPage(tuple(_deduction(row) for row in rows), cursor or None)


def _deduction(row: Mapping[str, Any]) -> Deduction:
    return Deduction(
        task_id=text_of(row.get("task_id")),
        product=text_of(row.get("product_function")),
        model=text_of(row.get("model_name")),
        api_key_name=text_of(row.get("api_key_name")),
        amount=decimal_of(row.get("deduction_amount")),
        currency=text_of(row.get("currency")) or None,
        source=text_of(row.get("package_name")) or text_of(row.get("package_id")) or text_of(row.get("cash_type")),
        at=time_of(row.get("deduction_time")),
    )
