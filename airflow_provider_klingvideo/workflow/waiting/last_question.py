"""The last question about a task, at its deadline: it is asked, and it does not wait for ever for its answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from airflow_provider_klingvideo.kling import NetworkError

# Kling answers a query within seconds; this leaves time for a second attempt.
LAST_QUESTION_SECONDS = 30.0


@asynccontextmanager
async def answered_within(seconds: float) -> AsyncIterator[None]:
    """Give up the questions inside after some time, their attempts and pauses included.

    :raises NetworkError: the time is over.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise NetworkError(f"Kling did not answer within {seconds:.0f} s") from None
