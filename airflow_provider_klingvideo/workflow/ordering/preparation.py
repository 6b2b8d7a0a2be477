"""What a product needs to know from Kling before it can be ordered: asked and paid once, kept on record.

Faces in a video, for example: they are found by a call that costs money, and the task is ordered with what it returns.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from airflow_provider_klingvideo.kling import PRODUCTS, AsyncKlingClient, Quote, Sureness, Terms, quote
from airflow_provider_klingvideo.kling.wire.bills import Billed, with_bill
from airflow_provider_klingvideo.workflow.job.job import WorkflowJob
from airflow_provider_klingvideo.workflow.job.sections import ExpectedPrice
from airflow_provider_klingvideo.workflow.ordering.answered import answered_call
from airflow_provider_klingvideo.workflow.ordering.paid_once import PaidOnce
from airflow_provider_klingvideo.workflow.ordering.submission import WantedVideo

if TYPE_CHECKING:
    from airflow_provider_klingvideo.kling import ApiFamily, GenerationRequest


def expected_price(request: GenerationRequest, family: ApiFamily, terms: Terms | None = None) -> ExpectedPrice:
    """Write down what is known about the price of a request.

    :param terms: by what the account pays.
    """
    told = quote(request, family, terms)
    known = {"units": told.units, "least": told.least, "money": told.money, "preparation": told.preparation}
    return ExpectedPrice(
        **{name: f"{value:f}" for name, value in known.items() if value is not None},
        currency=told.currency,
        sure=str(told.sure),
        why=told.why,
    )


def quote_of(estimate: ExpectedPrice) -> Quote:
    """Return the quote that was written down."""
    amounts = {name: getattr(estimate, name) for name in ("units", "least", "money", "preparation")}
    return Quote(
        **{name: Decimal(value) for name, value in amounts.items() if value is not None},
        currency=estimate.currency,
        sure=Sureness(estimate.sure or (Sureness.LISTED if estimate.units else Sureness.AT_LEAST)),
        why=estimate.why,
    )


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
