"""An account that pays with packs, with money, or with the pack as far as it reaches and then with money."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import httpx
import pytest
from sandbox_calls import GENERATION_SECONDS, QUEUE_SECONDS, Clock, client_of

from airflow_provider_klingvideo.sandbox import SandboxServer, SandboxSettings

PACKAGE, BALANCE = "/account/billing/package", "/account/billing/balance"
LEGACY = "/v1/videos/text2video"
Start = Callable[..., httpx.Client]


@pytest.fixture
def start(clock: Clock) -> Iterator[Start]:
    servers = []

    def start(**settings: Any) -> httpx.Client:
        fixed = {"queue_seconds": QUEUE_SECONDS, "generation_seconds": GENERATION_SECONDS}
        server = SandboxServer(SandboxSettings(**fixed, **settings), clock=clock)
        server.start()
        client = client_of(server)
        servers.append((server, client))
        return client

    yield start
    for server, client in servers:
        client.close()
        server.stop()


def made(client: httpx.Client, clock: Clock, prompt: str = "a fox") -> dict[str, Any]:
    """A video of 4.5 units, as the new generation shows it."""
    body = {"prompt": prompt, "settings": {"audio": "native", "duration": 5}}
    task_id = client.post("/text-to-video/kling-3.0", json=body).json()["data"]["id"]
    clock.finish()
    (task,) = client.get("/tasks", params={"task_ids": task_id}).json()["data"]
    return dict(task)


def made_legacy(client: httpx.Client, clock: Clock) -> dict[str, Any]:
    """A video of 1.5 units, as its legacy path shows it."""
    body = {"model_name": "kling-v2-5-turbo", "mode": "std", "prompt": "a fox", "duration": "5"}
    task_id = client.post(LEGACY, json=body).json()["data"]["task_id"]
    clock.finish()
    return dict(client.get(f"{LEGACY}/{task_id}").json()["data"])


def ledger(client: httpx.Client, clock: Clock, path: str) -> list[dict[str, Any]]:
    now = int(clock() * 1000)
    body = {"start_time": now - 86_400_000, "end_time": now, "filters": [{"key": "api_key_name", "values": []}]}
    return list(client.post(path, json=body).json()["data"]["result"]["detail"])


def unit(amount: str) -> dict[str, str]:
    return {"charge_type": "unit", "amount": amount, "package_type": "video"}


def cash(amount: str, list_price: str, currency: str = "USD") -> dict[str, str]:
    kind = {"charge_type": "cash", "cash_type": "balance"}
    return {**kind, "amount": amount, "currency": currency, "list_price": list_price}


def test_money_pays_for_all_of_an_account_without_packs(start: Start, clock: Clock) -> None:
    client = start(payment="cash", discount="0.2")
    task = made(client, clock)
    assert task["billing"] == [cash("0.504", "0.63")]
    (row,) = ledger(client, clock, BALANCE)
    assert (row["task_id"], row["deduction_amount"], row["list_price"]) == (task["id"], 0.504, 0.63)
    assert (row["balance_before_deduction"], row["balance_after_deduction"]) == (10_000, 9999.496)
    assert (row["currency"], row["cash_type"]) == ("USD", "balance")
    assert row["product_function"] == "Text to Video"
    assert ledger(client, clock, PACKAGE) == []


def test_the_legacy_generation_tells_it_beside_the_units(start: Start, clock: Clock) -> None:
    task = made_legacy(start(payment="cash"), clock)
    assert task["final_unit_deduction"] == "0"
    assert task["final_balance_deduction"] == {"quota": "0.21", "list_price": "0.21"}


def test_the_currency_is_that_of_the_region(start: Start, clock: Clock) -> None:
    client = start(payment="cash", region="beijing", api_key="sandbox-key")
    assert made(client, clock)["billing"] == [cash("4.5", "4.5", "CNY")]


def test_money_pays_for_what_the_pack_has_not(start: Start, clock: Clock) -> None:
    client = start(payment="mixed", balance="6")
    first, second, third = (made(client, clock, f"fox {number}") for number in range(3))
    assert first["billing"] == [unit("4.5")]
    assert second["billing"] == [unit("1.5"), cash("0.42", "0.42")]
    assert third["billing"] == [cash("0.63", "0.63")]
    assert sum(row["deduction_amount"] for row in ledger(client, clock, PACKAGE)) == 6
    taken = [Decimal(str(row["deduction_amount"])) for row in ledger(client, clock, BALANCE)]
    assert sum(taken) == Decimal("1.05")


def test_a_task_that_fails_takes_neither(start: Start, clock: Clock) -> None:
    client = start(payment="mixed", balance="1")
    assert made(client, clock, "a fox [sandbox:fail=no]")["billing"] == [{"amount": "0"}]
    assert ledger(client, clock, PACKAGE) == ledger(client, clock, BALANCE) == []


def test_more_than_may_be_owed_is_refused_as_arrears(start: Start, clock: Clock) -> None:
    client = start(payment="cash", credit="1")
    made(client, clock)
    body = {"prompt": "one more", "settings": {"audio": "native", "duration": 5}}
    answer = client.post("/text-to-video/kling-3.0", json=body)
    assert (answer.status_code, answer.json()["code"]) == (429, 1101)


def test_a_legacy_task_has_an_empty_result_until_it_has_one(start: Start) -> None:
    client = start()
    body = {"model_name": "kling-v2-5-turbo", "mode": "std", "prompt": "a fox", "duration": "5"}
    task_id = client.post(LEGACY, json=body).json()["data"]["task_id"]
    one, two = (client.get(f"{LEGACY}{slash}{task_id}").json()["data"] for slash in ("/", "//"))
    assert one == two
    assert (one["task_status"], one["task_result"]) == ("submitted", {})
