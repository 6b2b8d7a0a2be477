"""Calls that cost and are answered at once: there is no task, and nothing by which Kling could be asked about them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeVar

from airflow_provider_klingvideo.errors import Money
from airflow_provider_klingvideo.kling import AmbiguousSubmissionError, InvalidRequestError, registry
from airflow_provider_klingvideo.kling.wire.bills import Bill
from airflow_provider_klingvideo.workflow.job.errors import UnansweredCallError
from airflow_provider_klingvideo.workflow.job.paid import PaidCall, listed_bill, utc_now
from airflow_provider_klingvideo.workflow.ordering.paid_once import Means, PaidOnce

A = TypeVar("A")


def _untold(_: Any) -> None:
    """Read no bill."""


async def answered_call(
    once: PaidOnce,
    calls: list[PaidCall],
    *,
    what: str,
    fingerprint: str,
    send: Callable[[], Awaitable[A]],
    read: Callable[[A], dict[str, Any]],
    lifetime: timedelta | None,
    bill: Callable[[A], Bill | None] = _untold,
    repeat_unanswered: bool = False,
) -> dict[str, Any]:
    """Return what Kling answers, from the record while that is still valid.

    :param calls: those on record, each once; the call is added to them.
    :param what: the call's name, as the price list has it.
    :param fingerprint: hash of what is asked for.
    :param send: makes the call.
    :param read: what of the answer is kept, as JSON values.
    :param bill: reads the bill in it; None where it tells none, so that the price on the list counts.
    :param lifetime: for how long the answer is of use, None for ever.
    :param repeat_unanswered: make another one where an answer was lost, at the risk of paying twice for it.
    :raises UnansweredCallError: this or an earlier call may have been paid, and its answer is lost.
    :raises KlingVideoError: Kling refused, or found nothing of use.
    """
    same = sorted(
        (call for call in calls if (call.what, call.fingerprint) == (what, fingerprint)), key=lambda call: call.take
    )
    call, repeats = _call_of(same, what, fingerprint, repeat_unanswered=repeat_unanswered)
    if call not in same:
        calls.append(call)

    def take(call: PaidCall, answer: A) -> None:
        call.answer, call.verdict, call.bill = read(answer), "succeeded", bill(answer) or listed_bill(call)
        call.expires_at = None if lifetime is None else utc_now() + lifetime

    try:
        await once.make(call, Means(send, take))
    except UnansweredCallError:
        raise
    except AmbiguousSubmissionError as error:
        # The next try may repeat it where the user wants that, but no try repeats a repetition: that takes a person.
        raise _unanswered(call, error, retryable=repeat_unanswered and not repeats) from error
    if "error" in call.answer:
        raise InvalidRequestError(
            call.answer["error"], money=Money.BILLED, advice=call.answer.get("advice") or "Change the request"
        )
    return call.answer


def _call_of(same: list[PaidCall], what: str, fingerprint: str, *, repeat_unanswered: bool) -> tuple[PaidCall, bool]:
    """Return the call to make, and whether it repeats one that may have been paid.

    :param same: those on record for the same, in order.
    """
    if usable := [call for call in same if call.was_taken and not call.is_over]:
        return usable[-1], False
    answered = max((call.take for call in same if call.was_taken), default=0)
    pending = [call for call in same if call.take > answered]
    lost = [call for call in pending if call.is_open]
    if lost and not repeat_unanswered:
        return lost[-1], False
    if pending and pending[-1].is_refused:
        return pending[-1], bool(lost)
    units = registry().book.units(what)
    price = None if units is None else f"{units:f}"
    take = same[-1].take + 1 if same else 1
    return PaidCall(what=what, fingerprint=fingerprint, take=take, price=price), bool(lost)


def _unanswered(call: PaidCall, error: AmbiguousSubmissionError, *, retryable: bool) -> UnansweredCallError:
    return UnansweredCallError(
        f"The answer to the call {call.what} was lost: {error.message}",
        code=error.code,
        vendor_message=error.vendor_message,
        http_status=error.http_status,
        request_id=error.request_id,
        retry_after=error.retry_after,
        retryable=retryable,
    )
