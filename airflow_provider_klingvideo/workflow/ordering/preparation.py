"""What a product needs to know from the vendor before it can be ordered: asked once, kept on record.

Faces in a video, for example: they are found by a call that costs money, and the task is ordered with what it returns.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_klingvideo.kling import PRODUCTS, AsyncKlingClient
from airflow_provider_klingvideo.workflow.job.job import WorkflowJob, utc_now
from airflow_provider_klingvideo.workflow.ordering.submission import Order, Save

if TYPE_CHECKING:
    from airflow_provider_klingvideo.kling import GenerationRequest

# A session of the vendor lasts 24 hours (kling-api section 7.2).
LIFETIME = timedelta(hours=23)


class Preparation:
    """Completes requests.

    :param client: asks the vendor.
    :param save: keeps the job record durably.
    """

    def __init__(self, client: AsyncKlingClient, save: Save) -> None:
        self._client = client
        self._save = save

    async def __call__(self, job: WorkflowJob, order: Order) -> GenerationRequest:
        """Return the request with what the vendor said, from the record while that is still valid."""
        prepare = PRODUCTS[order.request.kind].preparation
        operation = prepare(order.request) if prepare else None
        if operation is None:
            return order.request
        known = job.metadata.get("preparation")
        if known is None or known["of"] != order.fingerprint or _is_over(known["at"]):
            found = await self._client.send(operation)
            known = {"of": order.fingerprint, "at": utc_now().isoformat(), "fields": dict(found)}
            job.metadata["preparation"] = known
            await self._save(job)
        fields: dict[str, Any] = {**order.request.model_dump(), **known["fields"]}
        return type(order.request).model_validate(fields)


def _is_over(moment: str) -> bool:
    return utc_now() - datetime.fromisoformat(moment) >= LIFETIME
