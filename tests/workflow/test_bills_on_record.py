"""Record, manifest and Kling's ledgers tell the same of what a job has cost, whatever the account pays with."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest
from workshop import ClockedSandbox, Workshop

from airflow_provider_klingvideo.kling import ApiKeyAuth, AsyncKlingClient, KlingClient
from airflow_provider_klingvideo.kling.services.billing import last_thirty_days
from airflow_provider_klingvideo.kling.services.speech import speak as speech
from airflow_provider_klingvideo.kling.wire.bills import Bill
from airflow_provider_klingvideo.kling.wire.tasks import parse_task
from airflow_provider_klingvideo.sandbox import SandboxSettings
from airflow_provider_klingvideo.workflow import JobStore, WorkflowJob
from airflow_provider_klingvideo.workflow import WorkflowState as S
from airflow_provider_klingvideo.workflow.job.paid import PaidCall
from airflow_provider_klingvideo.workflow.ordering.calls import call_once

REQUESTS = {
    "new": {"model": "kling-3.0", "api": "new"},
    "legacy": {"model": "kling-2.5-turbo", "api": "legacy"},
    "picture": {"kind": "image", "model": "kling-v3"},
}
# Of the pack only a unit is left: the rest of each job is paid with money.
ACCOUNTS = {
    "units": {"payment": "units"},
    "cash": {"payment": "cash", "discount": "0.1"},
    "mixed": {"payment": "mixed", "balance": "1", "image_balance": "1"},
}


@pytest.fixture(params=ACCOUNTS)
def account(request):
    settings = SandboxSettings(queue_seconds=0, generation_seconds=0, max_render_height=64, **ACCOUNTS[request.param])
    with ClockedSandbox(settings) as server:
        yield request.param, server


def ledgers(sandbox):
    """What both ledgers say of all tasks together."""
    with KlingClient(ApiKeyAuth("sandbox-key"), base_url=sandbox.url) as client:
        units = client.package_ledger(*last_thirty_days()).deductions
        cash = client.balance_ledger(*last_thirty_days()).deductions
    return sum(row.amount for row in units), sum(row.amount for row in cash), {row.currency for row in cash}


@pytest.mark.parametrize("name", REQUESTS)
def test_record_and_ledgers_agree(account, tmp_path, name):
    payment, sandbox = account
    workshop = Workshop(sandbox, tmp_path)
    job = workshop.process(WorkflowJob(id="job-1", prompt="A fox", params=REQUESTS[name]))
    assert job.state is S.COMPLETED, job.error
    units, cash, currencies = ledgers(sandbox)
    bill = workshop.store.load("job-1").bill
    assert ((bill.units or 0), sum(bill.cash.values())) == (units, cash)
    assert (bool(units), bool(cash)) == (payment != "cash", payment != "units")
    # The legacy family names no currency.
    assert set(bill.cash) <= currencies | {""}
    assert job.calls[-1].money == "billed"


def test_a_task_that_failed_and_was_charged_in_money_is_billed():
    failed = {"id": "1", "status": "failed", "billing": [{"charge_type": "cash", "amount": "0.1", "currency": "USD"}]}
    call = PaidCall(fingerprint="f", task_id="1", verdict="failed", price="3", bill=parse_task(failed).bill)
    assert (call.money, call.units, call.counted) == ("billed", 0, Bill(cash={"USD": Decimal("0.1")}))


def test_a_speech_is_billed_as_its_answer_tells(account, tmp_path):
    _, sandbox = account
    words = {"text": "Hello", "voice_id": "oversea_male1"}
    store = JobStore(tmp_path)

    async def speak():
        async with AsyncKlingClient(ApiKeyAuth("sandbox-key"), base_url=sandbox.url) as client:
            return await client.send(replace(speech(**words), parse=dict))

    asyncio.run(call_once(store, "speech-1", "tts", words, speak, lambda data: {"data": data}))
    (call,) = store.calls_of("speech-1")
    units, cash, _ = ledgers(sandbox)
    assert ((call.bill.units or 0), sum(call.bill.cash.values())) == (units, cash)
    assert call.money == "billed"
