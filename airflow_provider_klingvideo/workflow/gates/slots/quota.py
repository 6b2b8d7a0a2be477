"""What the account's packs allow, asked for when it matters and kept for everybody."""

from __future__ import annotations

import asyncio
import logging

from airflow_provider_klingvideo.errors import KlingVideoError
from airflow_provider_klingvideo.kling import AsyncKlingClient, last_thirty_days, quota
from airflow_provider_klingvideo.workflow.gates.slots.slots import Slots

log = logging.getLogger(__name__)


async def learn_quota(client: AsyncKlingClient, slots: Slots, pack: str) -> None:
    """Ask for the account's packs, and note what they allow; trouble with it is no trouble for any job.

    :param pack: which kind of packs: ``video``, ``image`` or ``try_on``.
    """
    try:
        allowed = quota(await client.account_costs(*last_thirty_days()), pack)
        await asyncio.to_thread(lambda: slots.allowed(pack, allowed))
    except (KlingVideoError, OSError) as error:
        log.warning("What the account's packs allow could not be learned: %s", error)
