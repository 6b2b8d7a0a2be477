"""The one way to make a call that costs: at most once, whatever breaks on the way.

1. Intent: that the call is about to be sent is on record before it is sent.
2. Call: it is sent.
3. Answer: what Kling said is on record right after.

After any doubt Kling is asked first, where it can be asked. Found: adopted. The question itself fails: unknown, nothing
is sent. Absent: sent again with the same id, which Kling refuses for free should the first one have arrived after all
(kling-api section 5.1). Where Kling cannot be asked, a call whose answer was lost is never sent again; whether another
one is made in its place the user decides (:mod:`.answered`).
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Generic, NoReturn, Protocol, TypeVar

from airflow_provider_klingvideo.errors import KlingVideoError, Money
from airflow_provider_klingvideo.kling.errors import AmbiguousSubmissionError, InvalidRequestError, NetworkError
from airflow_provider_klingvideo.workflow.job.errors import (
    CallInProgressError,
    SubmissionUnknownError,
    UnansweredCallError,
)
from airflow_provider_klingvideo.workflow.job.journal import Event
from airflow_provider_klingvideo.workflow.job.paid import PaidCall, listed_bill, utc_now

log = logging.getLogger(__name__)

A = TypeVar("A")
MAX_SENDS = 3


class Keep(Protocol):
    """Keeps durably what a try knows about a call."""

    async def __call__(self, call: PaidCall, token: str, *, first: bool) -> None:
        """Keep it.

        :param token: of the try.
        :param first: whether the call is about to be sent. Of a call that Kling cannot be asked about, one worker alone
            may say so.
        :raises CallInProgressError: another worker has said so.
        """


class Tell(Protocol):
    """Tells the journal what happens to a call."""

    def __call__(self, event: Event, call: PaidCall, **data: Any) -> None:
        """Tell it.

        :param data: what the event says besides, see :class:`Event`.
        """


def tell_nobody(event: Event, call: PaidCall, **data: Any) -> None:
    """Tell nobody."""


async def nothing() -> None:
    """Prepare nothing."""


@dataclass(frozen=True)
class Means(Generic[A]):
    """How a call is made.

    :param send: sends it once and returns the answer.
    :param take: writes the answer into the call.
    :param look_up: asks Kling whether it has taken the call; returns the answer, or None when there is none. None where
        Kling cannot be asked.
    :param prepare: what has to be done before it is really sent; nothing was sent when it raises.
    """

    send: Callable[[], Awaitable[A]]
    take: Callable[[PaidCall, A], None]
    look_up: Callable[[], Awaitable[A | None]] | None = None
    prepare: Callable[[], Awaitable[None]] = nothing


class PaidOnce:
    """Makes calls that cost.

    :param keep: see :data:`Keep`.
    :param tell: see :class:`Tell`.
    """

    def __init__(self, keep: Keep, tell: Tell = tell_nobody) -> None:
        self._keep = keep
        self._tell = tell

    async def make(self, call: PaidCall, means: Means[A]) -> None:
        """Make sure that Kling has taken a call, and that the record knows what it answered.

        :param call: what is known about it; changed in place.
        :param means: how it is made.
        :raises UnansweredCallError: it may have been paid, and Kling cannot be asked.
        :raises SubmissionUnknownError: Kling could not be asked, or refuses what it does not list; try again later.
        :raises KlingVideoError: Kling refused; nothing was made.
        """
        if call.was_taken:
            return
        in_doubt = call.is_open
        if in_doubt:
            found = await _looked_up(call, means)
            if found is not None:
                await self._accept(call, means, found, token=call.begin(), adopted=True)
                return
        await means.prepare()
        token = await self._intend(call, means)
        if call.was_taken:
            # Another worker was quicker: that it has the answer was learned when the intent was kept.
            call.refuse(token)
            await self._keep(call, token, first=False)
            self._tell(Event.CALL_ANSWERED, call, adopted=True)
            return
        answer, adopted = await self._sent(call, means, token, in_doubt=_has_other_sends(call, token))
        await self._accept(call, means, answer, token=token, adopted=adopted)

    async def _intend(self, call: PaidCall, means: Means[A]) -> str:
        # Of a call that Kling cannot be asked about, all workers take the same token, so that one of them gets it.
        token = call.begin(None if means.look_up else call.next_token)
        try:
            await self._keep(call, token, first=True)
        except CallInProgressError:
            call.take_back(token)
            raise
        except BaseException:
            # Nothing was sent: the next try need not be in doubt.
            call.refuse(token)
            with suppress(Exception):
                await self._keep(call, token, first=False)
            raise
        self._tell(Event.CALL_INTENDED, call)
        return token

    async def _sent(self, call: PaidCall, means: Means[A], token: str, *, in_doubt: bool) -> tuple[A, bool]:
        """Send until Kling has taken the call, and tell whether it had done so before.

        :param in_doubt: whether it may have been sent before, or by another worker. Then no refusal proves that nothing
            was made: Kling's list may lag behind, so that the doubt stays on record for the next try.
        """
        doubt: KlingVideoError | None = None
        for _ in range(MAX_SENDS):
            try:
                return await means.send(), False
            except AmbiguousSubmissionError as error:
                if means.look_up is None:
                    raise
                log.warning("%s Looking it up.", error)
                doubt, in_doubt = error, True
                found = await _asked(call, means.look_up)
            except (InvalidRequestError, NetworkError) as error:
                # A refused duplicate has the same code as any other invalid parameter, and a connection that fails may
                # follow one that did not: only Kling's list tells.
                found = await self._after_refusal(
                    call, means, token, error, in_doubt=in_doubt, was_lost=doubt is not None
                )
            except KlingVideoError as error:
                await self._refused(call, token, error, was_lost=doubt is not None)
                raise
            if found is not None:
                return found, True
        raise SubmissionUnknownError(f"{MAX_SENDS} sends of {_name(call)} were not answered") from doubt

    async def _after_refusal(
        self, call: PaidCall, means: Means[A], token: str, error: KlingVideoError, *, in_doubt: bool, was_lost: bool
    ) -> A:
        is_invalid = isinstance(error, InvalidRequestError)
        if means.look_up is not None and (in_doubt or is_invalid):
            found = await _asked(call, means.look_up)
            if found is not None:
                return found
        await self._refused(call, token, error, was_lost=was_lost)
        if means.look_up is not None and in_doubt and is_invalid:
            _raise_unknown(f"Kling refuses {_name(call)}, as a duplicate or as illegal, and does not list it", error)
        raise error

    async def _refused(self, call: PaidCall, token: str, error: KlingVideoError, *, was_lost: bool) -> None:
        """Note that nothing came of a send.

        :param was_lost: whether it was sent more than once, and an earlier answer was lost.
        """
        if error.money is Money.BILLED:
            # It was answered and paid; that the answer is of no use does not make another one free.
            call.verdict, call.accepted_at, call.bill = "failed", utc_now(), listed_bill(call)
            call.answer = {"error": error.message, "advice": error.advice}
        elif was_lost or error.money is Money.MAYBE:
            return
        else:
            call.refuse(token)
        self._tell(Event.CALL_REFUSED, call, reason=error.message)
        await self._keep(call, token, first=False)

    async def _accept(self, call: PaidCall, means: Means[A], answer: A, *, token: str, adopted: bool) -> None:
        means.take(call, answer)
        call.accepted_at = call.accepted_at or utc_now()
        await self._keep(call, token, first=False)
        self._tell(Event.CALL_ANSWERED, call, adopted=adopted)


async def _looked_up(call: PaidCall, means: Means[A]) -> A | None:
    if means.look_up is None:
        raise UnansweredCallError(f"The call {call.what} of {call.intended_at:%Y-%m-%d %H:%M:%S} UTC was not answered")
    return await _asked(call, means.look_up)


async def _asked(call: PaidCall, look_up: Callable[[], Awaitable[A | None]]) -> A | None:
    try:
        found = await look_up()
    except KlingVideoError as error:
        _raise_unknown(f"Kling could not be asked whether {_name(call)} exists: {error.message}", error)
    if found is not None:
        log.info("%s exists already at Kling; adopted.", _name(call))
    return found


def _raise_unknown(message: str, error: KlingVideoError) -> NoReturn:
    raise SubmissionUnknownError(
        message,
        code=error.code,
        vendor_message=error.vendor_message,
        http_status=error.http_status,
        request_id=error.request_id,
        retry_after=error.retry_after,
    ) from error


def _has_other_sends(call: PaidCall, token: str) -> bool:
    """Whether an earlier try or another worker has sent the call, without learning that it failed."""
    return any(state == "sent" for one, state in call.sends.items() if one != token)


def _name(call: PaidCall) -> str:
    return call.external_task_id or call.what
