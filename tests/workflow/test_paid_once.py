"""A call that costs is made once, whatever becomes of each message, each note and each worker on the way."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_klingvideo.errors import KlingVideoError, Money
from airflow_provider_klingvideo.kling import (
    AmbiguousSubmissionError,
    ConcurrencyLimitError,
    ContentPolicyError,
    InvalidRequestError,
    NetworkError,
    ServerError,
)
from airflow_provider_klingvideo.workflow import Event, PaidCall
from airflow_provider_klingvideo.workflow.job.errors import (
    CallInProgressError,
    SubmissionUnknownError,
    UnansweredCallError,
)
from airflow_provider_klingvideo.workflow.job.paid import merged_calls, money_of
from airflow_provider_klingvideo.workflow.ordering.answered import answered_call
from airflow_provider_klingvideo.workflow.ordering.paid_once import MAX_SENDS, Means, PaidOnce

REFUSALS = {
    "refused": lambda: ContentPolicyError("forbidden"),
    "invalid": lambda: InvalidRequestError("illegal"),
    "full": lambda: ConcurrencyLimitError("full"),
    "unreached": lambda: NetworkError("no route"),
    "useless": lambda: InvalidRequestError("no face was found", money=Money.BILLED),
}
SENDS = st.sampled_from([*REFUSALS, "accepted", "lost_before", "lost_after", "dies_before", "dies_after"])
LOOKS = st.sampled_from(["honest", "honest", "fails", "lags", "dies"])
STEPS = st.sampled_from(["done", "done", "done", "fails_before", "fails_after", "dies_before", "dies_after"])
PREPARATIONS = st.sampled_from(["done", "done", "fails", "dies"])


class CrashError(BaseException):
    """The worker dies."""


class Script:
    """What happens next; when nothing is left in it, all goes well."""

    def __init__(self, *happenings, usually):
        self._happenings = list(happenings)
        self._usually = usually

    def next(self):
        return self._happenings.pop(0) if self._happenings else self._usually


class World:
    """Kling, and the store in which notes are kept; both outlive every worker.

    :param refuses_duplicates: as Kling does with the ids of tasks.
    """

    def __init__(self, *, sends=(), looks=(), steps=(), preparations=(), refuses_duplicates=True):
        self._sends = Script(*sends, usually="accepted")
        self._looks = Script(*looks, usually="honest")
        self._steps = Script(*steps, usually="done")
        self._preparations = Script(*preparations, usually="done")
        self._refuses_duplicates = refuses_duplicates
        self.accepted = self.sent = 0
        self.notes = {}
        self.told = []

    @property
    def known(self):
        """What the notes tell."""
        return merged_calls([], [PaidCall.model_validate_json(note) for note in self.notes.values()])

    async def send(self):
        self.sent += 1
        how = self._sends.next()
        if self.accepted and self._refuses_duplicates:
            how = {"accepted": "invalid", "lost_after": "lost_before", "dies_after": "dies_before"}.get(how, how)
        if how in {"accepted", "lost_after", "dies_after", "useless"}:
            self.accepted += 1
        if how in REFUSALS:
            raise REFUSALS[how]()
        if how.startswith("lost"):
            raise AmbiguousSubmissionError("the answer was lost")
        if how.startswith("dies"):
            raise CrashError
        return f"task-{self.accepted}"

    async def look_up(self):
        how = self._looks.next()
        if how == "fails":
            raise ServerError("Kling is away")
        if how == "dies":
            raise CrashError
        return f"task-{self.accepted}" if self.accepted and how == "honest" else None

    async def prepare(self):
        how = self._preparations.next()
        if how == "fails":
            raise ContentPolicyError("no use")
        if how == "dies":
            raise CrashError

    async def keep(self, call, token, *, first):
        how = self._steps.next()
        _break(how, "before")
        if first and not call.can_be_asked_about and token in self.notes:
            raise CallInProgressError("another worker is making it")
        self.notes[token] = call.model_copy(update={"sends": {token: call.sends[token]}}).model_dump_json()
        _break(how, "after")

    def tell(self, event, call, **data):
        self.told.append(event)

    @property
    def once(self):
        return PaidOnce(self.keep, self.tell)


def _break(how, when):
    if how == f"fails_{when}":
        raise OSError("no space left")
    if how == f"dies_{when}":
        raise CrashError


def endpoint(**script):
    """A call that takes everything every time."""
    return World(**script, refuses_duplicates=False)


def create(world):
    """A new worker makes sure that Kling has the task; what it knows are the notes."""
    call = next(iter(world.known), None) or PaidCall(fingerprint="f", external_task_id="e")

    def take(call, answer):
        call.task_id = answer

    asyncio.run(world.once.make(call, Means(world.send, take, world.look_up, world.prepare)))
    return call


def ask(world, *, repeat_unanswered=False, lifetime=timedelta(days=1)):
    """A new worker makes sure that Kling has answered."""

    async def run():
        return await answered_call(
            world.once,
            world.known,
            what="tts",
            fingerprint="f",
            send=world.send,
            read=lambda answer: {"id": answer},
            lifetime=lifetime,
            repeat_unanswered=repeat_unanswered,
        )

    return asyncio.run(run())


def tried(work, *arguments, **options):
    """What came of a try: its result, or what it ended with."""
    try:
        return work(*arguments, **options)
    except (KlingVideoError, OSError, CrashError) as error:
        return error


creates = st.fixed_dictionaries(
    {
        "sends": st.lists(SENDS.filter(lambda how: how != "useless"), max_size=6),
        "looks": st.lists(LOOKS, max_size=6),
        "steps": st.lists(STEPS, max_size=8),
        "preparations": st.lists(PREPARATIONS, max_size=4),
    }
)
asked = st.fixed_dictionaries({"sends": st.lists(SENDS, max_size=6), "steps": st.lists(STEPS, max_size=8)})


class TestCreates:
    @settings(max_examples=250)
    @given(creates, st.integers(1, 5))
    def test_a_task_is_never_hidden_and_is_found_when_all_is_well_again(self, script, tries):
        world = World(**script)
        for _ in range(tries):
            outcome = tried(create, world)
            calls = world.known
            if world.accepted:
                assert not any(call.is_refused for call in calls)
                assert money_of(calls) is not Money.NONE
            if isinstance(outcome, PaidCall):
                assert (outcome.task_id, world.accepted) == ("task-1", 1)
            elif isinstance(outcome, KlingVideoError) and not outcome.retryable and world.accepted:
                # Not even a refusal of a later send is taken for the fate of the first one.
                assert money_of(calls) is Money.MAYBE
        for _ in range(20):
            if isinstance(done := tried(create, world), PaidCall):
                break
        assert (done.task_id, world.accepted) == ("task-1", 1)
        sent = world.sent
        assert create(world).task_id == "task-1"
        assert world.sent == sent, "what is on record is neither sent nor looked up again"

    @settings(max_examples=250)
    @given(creates, st.integers(1, 5))
    def test_kling_is_asked_before_anything_is_sent_again(self, script, tries):
        # Where its list does not lag, nothing is paid twice even if it took the same id twice.
        looks = [how for how in script["looks"] if how != "lags"]
        world = World(**{**script, "looks": looks}, refuses_duplicates=False)
        for _ in range(tries):
            tried(create, world)
            assert world.accepted <= 1

    @settings(max_examples=150)
    @given(st.lists(st.sampled_from(["fails_before", "dies_before"]), min_size=1, max_size=3))
    def test_nothing_is_sent_without_a_note_of_it(self, steps):
        world = World(steps=steps)
        tried(create, world)
        assert world.sent == 0

    def test_what_was_never_sent_leaves_no_doubt(self):
        world = World(steps=["fails_after"], looks=["fails"])
        with pytest.raises(OSError, match="no space"):
            create(world)
        assert money_of(world.known) is Money.NONE
        assert create(world).task_id == "task-1", "nobody has to be asked"

    def test_while_it_cannot_be_asked_nothing_is_sent(self):
        world = World(sends=["lost_after"], looks=["fails"] * 3)
        for _ in range(3):
            with pytest.raises(SubmissionUnknownError) as caught:
                create(world)
            assert (caught.value.money, caught.value.retryable, world.sent) == (Money.MAYBE, True, 1)
        assert create(world).task_id == "task-1"

    def test_a_duplicate_that_is_not_listed_yet_is_no_refusal(self):
        world = World(sends=["lost_after"], looks=["lags", "lags"])
        with pytest.raises(SubmissionUnknownError, match="does not list it"):
            create(world)
        assert (create(world).task_id, world.accepted) == ("task-1", 1)

    def test_what_exists_though_nothing_is_on_record_is_adopted(self):
        world = World()
        create(world)
        world.notes.clear()
        assert (create(world).task_id, world.accepted) == ("task-1", 1)

    @pytest.mark.parametrize("is_answered", [True, False])
    def test_what_another_one_does_meanwhile_is_heard_when_the_intent_is_kept(self, is_answered):
        world = World(looks=["lags"])
        call = PaidCall(fingerprint="f", external_task_id="e")

        async def keep(call, token, *, first):
            await world.keep(call, token, first=first)
            if first:
                world.accepted = 1
                other = call.model_copy(update={"sends": {"other": "sent"}}, deep=True)
                other.task_id = "task-1" if is_answered else None
                call.learn(other)

        def take(call, answer):
            call.task_id = answer

        means = Means(world.send, take, world.look_up, world.prepare)
        if is_answered:
            asyncio.run(PaidOnce(keep, world.tell).make(call, means))
            assert (call.task_id, world.sent, world.told[-1]) == ("task-1", 0, Event.CALL_ANSWERED)
        else:
            with pytest.raises(SubmissionUnknownError, match="does not list it"):
                asyncio.run(PaidOnce(keep, world.tell).make(call, means))
            assert call.is_open

    def test_so_many_lost_answers_are_enough_for_one_try(self):
        world = World(sends=["lost_before"] * (MAX_SENDS + 1))
        with pytest.raises(SubmissionUnknownError, match=f"{MAX_SENDS} sends of e were not answered"):
            create(world)
        assert world.sent == MAX_SENDS

    @pytest.mark.parametrize("how", ["refused", "full", "unreached", "invalid"])
    def test_a_refusal_is_free_and_the_next_try_begins_anew(self, how):
        world = World(sends=[how])
        assert isinstance(tried(create, world), type(REFUSALS[how]()))
        assert money_of(world.known) is Money.NONE
        assert create(world).task_id == "task-1"

    def test_what_cannot_be_prepared_is_not_sent(self):
        world = World(preparations=["fails"])
        with pytest.raises(ContentPolicyError):
            create(world)
        assert (world.sent, world.notes) == (0, {})

    @settings(max_examples=150)
    @given(creates, st.integers(1, 4))
    def test_the_journal_hears_of_each_intent_before_its_answer(self, script, tries):
        world = World(**script)
        for _ in range(tries):
            tried(create, world)
        open_intents = 0
        for what in world.told:
            open_intents += {Event.CALL_INTENDED: 1}.get(what, 0)
            assert what is not Event.CALL_REFUSED or open_intents
        assert world.told.count(Event.CALL_ANSWERED) <= 1 + tries


class TestCallsThatKlingCannotBeAskedAbout:
    @settings(max_examples=250)
    @given(asked, st.integers(1, 6))
    def test_whatever_happens_one_is_paid(self, script, tries):
        world = endpoint(**script)
        for _ in range(tries):
            outcome = tried(ask, world)
            assert world.accepted <= 1
            if isinstance(outcome, dict):
                assert outcome == {"id": "task-1"}
            if world.accepted:
                assert money_of(world.known) is not Money.NONE

    @settings(max_examples=250)
    @given(asked, st.lists(st.booleans(), min_size=1, max_size=6))
    def test_each_try_that_may_repeat_a_lost_answer_pays_one_more_at_most(self, script, tries):
        world = endpoint(**script)
        for repeats in tries:
            accepted, is_lost = world.accepted, any(call.is_open for call in world.known)
            tried(ask, world, repeat_unanswered=repeats)
            assert world.accepted <= accepted + (1 if repeats or not is_lost else 0)
            assert world.accepted <= 1 + sum(tries)

    @pytest.mark.parametrize("how", ["lost_before", "lost_after"])
    def test_a_lost_answer_is_told_and_not_asked_for_again(self, how):
        world = endpoint(sends=[how])
        for _ in range(3):
            with pytest.raises(UnansweredCallError) as caught:
                ask(world)
            assert (caught.value.money, caught.value.retryable, world.sent) == (Money.MAYBE, False, 1)
        assert "repeat_unanswered" in str(caught.value)

    @pytest.mark.parametrize("how", ["dies_before", "dies_after"])
    def test_nor_is_that_of_a_worker_that_died(self, how):
        world = endpoint(sends=[how])
        with pytest.raises(CrashError):
            ask(world)
        with pytest.raises(UnansweredCallError, match="was not answered"):
            ask(world)
        assert world.sent == 1

    def test_who_accepts_the_risk_gets_an_answer_and_later_ones_take_it(self):
        world = endpoint(sends=["lost_after"])
        with pytest.raises(UnansweredCallError):
            ask(world)
        assert ask(world, repeat_unanswered=True) == {"id": "task-2"}
        assert ask(world) == ask(world, repeat_unanswered=True) == {"id": "task-2"}
        assert (world.accepted, money_of(world.known)) == (2, Money.BILLED)

    def test_an_answer_that_could_not_be_kept_is_not_paid_again(self):
        world = endpoint(steps=["done", "fails_before"])
        with pytest.raises(OSError, match="no space"):
            ask(world)
        with pytest.raises(UnansweredCallError):
            ask(world)
        assert world.accepted == 1

    def test_an_answer_of_no_use_was_paid_and_is_given_again(self):
        world = endpoint(sends=["useless"])
        for _ in range(2):
            with pytest.raises(InvalidRequestError, match="no face was found") as caught:
                ask(world)
            assert (caught.value.money, world.sent) == (Money.BILLED, 1)

    def test_an_answer_that_is_over_is_asked_for_again(self):
        world = endpoint()
        assert ask(world, lifetime=timedelta(0)) == {"id": "task-1"}
        assert ask(world) == ask(world) == {"id": "task-2"}

    @pytest.mark.parametrize("count", [1, 12, 13, 30])
    def test_after_any_number_of_refusals_it_is_asked_once_more(self, count):
        world = endpoint(sends=["full"] * count)
        for _ in range(count):
            with pytest.raises(ConcurrencyLimitError):
                ask(world)
        assert ask(world) == {"id": "task-1"}
        assert (world.sent, money_of(world.known)) == (count + 1, Money.BILLED)

    @pytest.mark.parametrize("count", [12, 13, 30])
    def test_after_any_number_of_refusals_a_lost_answer_is_a_lost_answer(self, count):
        world = endpoint(sends=[*["full"] * count, "lost_after"])
        for _ in range(count):
            with pytest.raises(ConcurrencyLimitError):
                ask(world)
        for _ in range(3):
            with pytest.raises(UnansweredCallError):
                ask(world)
        assert world.accepted == 1

    def test_of_two_that_ask_at_once_one_asks(self):
        world = endpoint()
        late = world.known
        ask(world)

        async def run():
            options = {"send": world.send, "read": lambda answer: {"id": answer}, "lifetime": None}
            await answered_call(world.once, late, what="tts", fingerprint="f", **options)

        with pytest.raises(CallInProgressError):
            asyncio.run(run())
        assert not any(call.is_open for call in late), "nothing of this worker was sent"
        assert (world.sent, len(world.notes)) == (1, 1)
        assert json.loads(next(iter(world.notes.values())))["answer"] == {"id": "task-1"}
        with suppress(KlingVideoError):
            asyncio.run(run())
        assert world.sent == 1
