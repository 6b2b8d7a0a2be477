"""What a product needs to know from Kling before it can be ordered: asked and paid once, kept on record.

Faces in a video, for example: they are found by a call that costs money, and the task is ordered with what it returns.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from airflow_provider_klingvideo.kling import PRODUCTS, AsyncKlingClient, estimate, registry
from airflow_provider_klingvideo.kling.wire.bills import Billed, with_bill
from airflow_provider_klingvideo.workflow.job.job import WorkflowJob
from airflow_provider_klingvideo.workflow.job.sections import ExpectedPrice
from airflow_provider_klingvideo.workflow.ordering.answered import answered_call
from airflow_provider_klingvideo.workflow.ordering.paid_once import PaidOnce
from airflow_provider_klingvideo.workflow.ordering.submission import WantedVideo

if TYPE_CHECKING:
    from airflow_provider_klingvideo.kling import ApiFamily, GenerationRequest


def least_units(request: GenerationRequest) -> Decimal | None:
    """Return what a request costs at least whose price only Kling can tell; None where nothing is known."""
    least = PRODUCTS[request.kind].least
    return least(request) if least else None


def preparation_units(request: GenerationRequest) -> Decimal | None:
    """Return what Kling charges for what has to be asked before a request is ordered; None where nothing has to be."""
    prepare = PRODUCTS[request.kind].preparation
    operation = prepare(request) if prepare else None
    return registry().units(operation.what) if operation else None


def expected_price(request: GenerationRequest, family: ApiFamily) -> ExpectedPrice | None:
    """Write down what is known about the price of a request, None where that is nothing."""
    price = estimate(request, family)
    units, usd = (price.units, price.usd) if price else (None, None)
    known = {"units": units, "least": least_units(request), "usd": usd, "preparation": preparation_units(request)}
    told = {name: f"{value:f}" for name, value in known.items() if value is not None}
    return ExpectedPrice(**told) if told else None


async def prepared_request(
    client: AsyncKlingClient, job: WorkflowJob, wanted: WantedVideo, once: PaidOnce, *, repeat_unanswered: bool = False
) -> GenerationRequest:
    """Return the request with what Kling said, from the record while that is still valid.

    :param repeat_unanswered: ask again where an answer was lost, at the risk of paying twice for it.
    :raises UnansweredCallError: the answer to an earlier question was lost.
    :raises KlingVideoError: Kling refused, or found nothing of use.
    """
    prepare = PRODUCTS[wanted.request.kind].preparation
    operation = prepare(wanted.request) if prepare else None
    if operation is None:
        return wanted.request

    async def send() -> Billed[Mapping[str, Any]]:
        return await client.send(with_bill(operation))

    answer = await answered_call(
        once,
        job.calls,
        what=operation.what,
        fingerprint=wanted.fingerprint,
        send=send,
        read=lambda answer: dict(answer.result),
        bill=lambda answer: answer.bill,
        lifetime=operation.lifetime,
        repeat_unanswered=repeat_unanswered,
    )
    fields: dict[str, Any] = {**wanted.request.model_dump(), **answer}
    return type(wanted.request).model_validate(fields)
