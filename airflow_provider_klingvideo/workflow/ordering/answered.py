"""Calls that cost and are answered at once: there is no task, and nothing by which Kling could be asked about them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeVar

from airflow_provider_klingvideo.errors import Money
from airflow_provider_klingvideo.kling import InvalidRequestError, registry
from airflow_provider_klingvideo.workflow.job.paid import PaidCall, utc_now
from airflow_provider_klingvideo.workflow.ordering.paid_once import Means, PaidOnce

A = TypeVar("A")


async def answered_call(
    once: PaidOnce,
    calls: list[PaidCall],
    *,
    what: str,
    fingerprint: str,
    send: Callable[[], Awaitable[A]],
    read: Callable[[A], dict[str, Any]],
    lifetime: timedelta,
    repeat_unanswered: bool = False,
) -> dict[str, Any]:
    """Return what Kling answers, from the record while that is still valid.

    :param calls: those on record; the call is added to them.
    :param what: the call's name, as the price list has it.
    :param fingerprint: hash of what is asked for.
    :param send: makes the call.
    :param read: what of the answer is kept, as JSON values.
    :param lifetime: for how long the answer is of use.
    :param repeat_unanswered: make it again where an answer was lost, at the risk of paying twice for it.
    :raises UnansweredCallError: an earlier call may have been paid, and its answer is lost.
    :raises KlingVideoError: Kling refused, or found nothing of use.
    """
    call = _call_of(calls, what, fingerprint, lifetime)

    def take(call: PaidCall, answer: A) -> None:
        call.answer, call.verdict, call.billed = read(answer), "succeeded", call.price

    await once.make(call, Means(send, take), repeat_unanswered=repeat_unanswered)
    if "error" in call.answer:
        raise InvalidRequestError(
            call.answer["error"], money=Money.BILLED, advice=call.answer.get("advice") or "Change the request"
        )
    return call.answer


def _call_of(calls: list[PaidCall], what: str, fingerprint: str, lifetime: timedelta) -> PaidCall:
    """Return the newest call of its kind, or a new one where there is none, or its answer is of no use any more."""
    same = [call for call in calls if (call.what, call.fingerprint) == (what, fingerprint)]
    last = max(same, key=lambda call: call.take, default=None)
    if last is not None and not _is_over(last, lifetime):
        return last
    units = registry().units(what)
    price = None if units is None else f"{units:f}"
    call = PaidCall(what=what, fingerprint=fingerprint, take=last.take + 1 if last else 1, price=price)
    calls.append(call)
    return call


def _is_over(call: PaidCall, lifetime: timedelta) -> bool:
    return call.was_taken and utc_now() - (call.accepted_at or call.intended_at) >= lifetime
