"""Calls outside of jobs that cost: a speech, a look for faces, a recognised picture. Each is paid once."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any, TypeVar

from airflow_provider_klingvideo.errors import KlingVideoError
from airflow_provider_klingvideo.kling.services.speech import RESULT_LIFETIME
from airflow_provider_klingvideo.kling.wire.bills import bill_of
from airflow_provider_klingvideo.workflow.job.paid import PaidCall, merged_calls, money_of
from airflow_provider_klingvideo.workflow.job.store import JobStore
from airflow_provider_klingvideo.workflow.ordering.answered import answered_call
from airflow_provider_klingvideo.workflow.ordering.paid_once import PaidOnce

A = TypeVar("A")

EARLIER_RECORD = "speech.json"
"""What versions before the notes wrote."""


def hashed(wanted: Mapping[str, Any]) -> str:
    """Hash what is asked for: 16 hexadecimal digits."""
    return hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()[:16]


async def call_once(
    store: JobStore,
    name: str,
    what: str,
    wanted: Mapping[str, Any],
    send: Callable[[], Awaitable[A]],
    read: Callable[[A], dict[str, Any]],
    *,
    lifetime: timedelta | None = RESULT_LIFETIME,
    repeat_unanswered: bool = False,
) -> dict[str, Any]:
    """Return the answer to a call that costs, made when there is none of this very call on record.

    :param store: where records lie.
    :param name: deterministic name of who calls.
    :param what: the call's name, as the price list has it.
    :param wanted: what is asked for.
    :param send: makes the call; it is made once at most.
    :param read: what of the answer is kept, as JSON values.
    :param lifetime: for how long the answer is of use, None for ever.
    :param repeat_unanswered: make it again where an answer was lost, at the risk of paying twice for it.
    :raises UnansweredCallError: an earlier call may have been paid, and its answer is not known.
    :raises KlingVideoError: Kling refused; nothing was paid.
    """
    fingerprint = hashed(wanted)
    calls = merged_calls(_earlier(store, name), store.calls_of(name))

    async def keep(call: PaidCall, token: str, *, first: bool) -> None:
        await asyncio.to_thread(store.note, name, call, token, first=first)

    try:
        return await answered_call(
            PaidOnce(keep),
            calls,
            what=what,
            fingerprint=fingerprint,
            send=send,
            read=read,
            bill=bill_of,
            lifetime=lifetime,
            repeat_unanswered=repeat_unanswered,
        )
    except KlingVideoError as error:
        # A refusal costs nothing; what it was to repeat may have.
        error.money = money_of((call for call in calls if call.fingerprint == fingerprint), error.money)
        raise


def _earlier(store: JobStore, name: str) -> list[PaidCall]:
    """Return the speech that an earlier version has put on record."""
    known = store.read(name, EARLIER_RECORD)
    if known is None or not ("audio_id" in known or known.get("is_asked")):
        return []
    call = PaidCall(what="tts", fingerprint=str(known["of"]), sends={"earlier": "sent"}, intended_at=known["at"])
    if "audio_id" in known:
        audio = {"id": known["audio_id"], "duration": known.get("duration")}
        answer = {"task_id": "earlier", "task_status": "succeed", "task_result": {"audios": [audio]}}
        call.verdict, call.accepted_at, call.answer = "succeeded", call.intended_at, {"data": answer}
        call.expires_at = call.intended_at + RESULT_LIFETIME
    return [call]
