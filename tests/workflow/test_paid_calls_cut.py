"""Every call that costs, its answer cut after Kling took it: paid once, on record, counted, and told."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal

import pytest
from cut_calls import PATHS, Shop, wanted
from kling.contract.product_requests import CLIP, FACE, LEGAL, PICTURE, SELECTION, SESSION, SOUND

from airflow_provider_klingvideo.kling import PRODUCTS, InvalidRequestError, RateLimitError
from airflow_provider_klingvideo.sandbox import SandboxServer, SandboxSettings
from airflow_provider_klingvideo.workflow import WorkflowState as S
from airflow_provider_klingvideo.workflow.batch import run as batch_run
from airflow_provider_klingvideo.workflow.gates.budgets.book import BudgetBook
from airflow_provider_klingvideo.workflow.job import paid
from airflow_provider_klingvideo.workflow.job.errors import UnansweredCallError
from airflow_provider_klingvideo.workflow.job.sections import Budget

LOOK, LIPS = PATHS["identify_faces"], "/v1/videos/advanced-lip-sync"
CREATE_UNITS, LOOK_UNITS = Decimal("0.5"), Decimal("0.05")


@pytest.fixture(scope="module")
def server():
    settings = SandboxSettings(queue_seconds=0, generation_seconds=0, max_render_height=64)
    with SandboxServer(settings) as server:
        yield server


@pytest.fixture
def shop(server, tmp_path, monkeypatch):
    server.reset()
    return Shop(server, tmp_path, monkeypatch)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(batch_run, "_growing", lambda state: 0.02)
    monkeypatch.setattr(batch_run, "LOOK_SECONDS", 0.02)


def request_of(kind, shop):
    """Return a legal request of a product, with what the sandbox has to give for it."""
    fields = next(request for _, request in LEGAL.values() if request["kind"] == kind)
    asked = json.dumps(fields)
    names = {PICTURE: shop.picture, SOUND: shop.sound}
    if any(name in asked for name in (CLIP, SESSION, SELECTION)):
        video_id, names[CLIP] = shop.clip()
        names |= sessions(shop, video_id) if SESSION in asked or SELECTION in asked else {}
    for name, value in names.items():
        asked = asked.replace(name, value)
    return json.loads(asked)


def sessions(shop, video_id):
    faces = shop.call("identify_faces", video_id=video_id)
    selection = shop.call("init_selection", video_id=video_id)
    shop.call("add_selection", selection.session_id, 0, [(0.5, 0.5)])
    return {SESSION: faces.session_id, FACE: faces.faces[0].id, SELECTION: selection.session_id}


@pytest.mark.parametrize("kind", PRODUCTS)
def test_a_create_whose_answer_is_cut_is_found_again_and_paid_once(shop, kind):
    request = request_of(kind, shop)
    spent = shop.spent
    for route in PRODUCTS[kind].routes.values():
        shop.cut(f"{route.path}*")
    job = shop.process(wanted(request))
    assert job.state is S.COMPLETED, job.error
    (call,) = job.calls
    (task,) = shop.orders(call.external_task_id)
    assert (call.task_id, call.money) == (task["id"], "billed" if Decimal(task["units"]) else "none")
    assert sum(shop.sent(f"{route.path}{'/{model}' * route.is_model_in_path}") for route in routes(kind)) == 1
    assert job.billed_units == Decimal(task["units"]) == shop.spent - spent


def routes(kind):
    return PRODUCTS[kind].routes.values()


class TestTheLookBeforeLips:
    """Lip-sync looks for faces first; Kling cannot be asked what became of such a look."""

    @pytest.fixture
    def lips(self, shop):
        video_id, _ = shop.clip()
        speech = shop.call("speak", "Hello there, how are you today?", voice_id="oversea_male1")
        self.before = shop.spent
        return {"kind": "lip_sync", "video_id": video_id, "audio_id": speech.audio_id, "sound_end_ms": 2000}

    def test_one_that_is_answered_counts_in_what_was_billed(self, shop, lips):
        job = shop.process(wanted(lips))
        assert job.state is S.COMPLETED, job.error
        assert job.billed_units == CREATE_UNITS + LOOK_UNITS == shop.spent - self.before

    def test_a_lost_one_is_never_made_again_by_clearing(self, shop, lips):
        shop.cut(LOOK)
        job = shop.process(wanted(lips))
        for _ in range(3):
            assert (job.state, job.failure["kind"], job.failure["money"]) == (S.FAILED, "ambiguous_call", "maybe")
            assert "Set repeat_unanswered" in job.error
            job = shop.cleared("job", S.CREATED)
        assert (shop.sent(LOOK), shop.sent(LIPS)) == (1, 0)
        assert job.billed_units == LOOK_UNITS == shop.spent - self.before

    def test_a_lost_one_is_never_made_again_by_an_unattended_batch(self, shop, lips):
        shop.cut(LOOK, times=4)
        job = wanted(lips)
        shop.batch([job])
        assert (job.state, job.failure["kind"], job.failure["money"]) == (S.FAILED, "ambiguous_call", "maybe")
        assert (shop.sent(LOOK), job.billed_units) == (1, LOOK_UNITS)

    def test_another_one_is_made_where_the_user_says_so_and_both_count(self, shop, lips):
        shop.cut(LOOK)
        shop.process(wanted(lips))
        job = shop.cleared("job", S.CREATED, repeat_unanswered=True)
        assert job.state is S.COMPLETED, job.error
        assert shop.sent(LOOK) == 2
        assert job.billed_units == CREATE_UNITS + 2 * LOOK_UNITS == shop.spent - self.before

    def test_a_batch_that_may_repeat_does_so_once(self, shop, lips):
        shop.cut(LOOK, times=4)
        job = wanted(lips)
        shop.batch([job], repeat_unanswered=True)
        assert (job.state, job.failure["kind"], job.failure["money"]) == (S.FAILED, "ambiguous_call", "maybe")
        assert (shop.sent(LOOK), job.billed_units) == (2, 2 * LOOK_UNITS)

    def test_a_batch_that_may_repeat_completes(self, shop, lips):
        shop.cut(LOOK)
        job = wanted(lips)
        shop.batch([job], repeat_unanswered=True)
        assert job.state is S.COMPLETED, job.error
        assert job.billed_units == shop.spent - self.before

    def test_a_repetition_that_is_refused_is_not_made_again_without_a_word(self, shop, lips):
        shop.cut(LOOK)
        shop.process(wanted(lips))
        shop.cut(LOOK, type="refuse", code=1301)
        refused = shop.cleared("job", S.CREATED, repeat_unanswered=True)
        assert (refused.failure["kind"], refused.failure["money"]) == ("content_policy", "maybe")
        assert shop.cleared("job", S.CREATED).failure["kind"] == "ambiguous_call"
        assert shop.sent(LOOK) == 2
        assert shop.cleared("job", S.CREATED, repeat_unanswered=True).state is S.COMPLETED

    def test_a_worker_that_dies_between_intent_and_answer_leaves_it_open(self, shop, lips, monkeypatch):
        from airflow_provider_klingvideo.kling import AsyncKlingClient

        class KilledError(BaseException):
            pass

        async def die(client, operation, send=AsyncKlingClient.send):
            if operation.what:
                raise KilledError
            return await send(client, operation)

        with monkeypatch.context() as patch:
            patch.setattr(AsyncKlingClient, "send", die)
            with pytest.raises(KilledError):
                shop.process(wanted(lips))
        job = shop.process(shop.store.load("job"))
        assert (job.state, job.failure["kind"], job.failure["money"]) == (S.FAILED, "ambiguous_call", "maybe")
        assert shop.sent(LOOK) == 0

    @pytest.mark.parametrize(
        "action", [{"type": "half_body"}, {"type": "html", "store": True}], ids=lambda one: one["type"]
    )
    def test_an_answer_that_makes_no_sense_leaves_it_open(self, shop, lips, action):
        shop.cut(LOOK, **action)
        job = shop.process(wanted(lips))
        assert (job.failure["kind"], job.failure["money"]) == ("ambiguous_call", "maybe")
        (look,) = [call for call in job.calls if call.what == "identify_faces"]
        assert (look.is_open, job.billed_units) == (True, LOOK_UNITS)

    def test_one_that_cannot_be_sent_costs_nothing_and_is_made_later(self, shop, lips):
        shop.cut(LOOK, type="refuse", code=1302, times=14)
        job = shop.process(wanted(lips))
        assert job.state is S.COMPLETED, job.error
        assert shop.sent(LOOK) == 15
        assert job.billed_units == CREATE_UNITS + LOOK_UNITS == shop.spent - self.before

    def test_that_no_face_was_found_is_paid_once_and_remembered(self, shop, lips, monkeypatch):
        from airflow_provider_klingvideo.kling.products import lip_sync

        found = lip_sync.read_faces
        monkeypatch.setattr(lip_sync, "read_faces", lambda data: found({**data, "face_data": []}))
        job = shop.process(wanted(lips))
        for _ in range(3):
            assert "no face was found" in job.error
            assert (job.state, job.failure["kind"], job.failure["money"]) == (S.FAILED, "invalid_request", "billed")
            job = shop.cleared("job", S.CREATED, repeat_unanswered=True)
        assert (shop.sent(LOOK), job.billed_units) == (1, LOOK_UNITS)

    def test_one_that_has_expired_is_made_anew(self, shop, lips, monkeypatch):
        shop.cut(LIPS, type="refuse", code=1300)
        failed = shop.process(wanted(lips))
        assert (failed.failure["kind"], failed.failure["money"]) == ("content_policy", "billed")
        now = paid.utc_now
        monkeypatch.setattr(paid, "utc_now", lambda: now() + timedelta(hours=24))
        job = shop.cleared("job", S.CREATED)
        assert job.state is S.COMPLETED, job.error
        assert [call.take for call in job.calls if call.what == "identify_faces"] == [1, 2]
        assert job.billed_units == shop.spent - self.before

    class TestInABudget:
        """The look counts from the beginning: the order of 0.5 units comes with a look of 0.05."""

        def job(self, shop, lips, units, **changes):
            job = wanted({**lips, **changes})
            job.budget = Budget(name="b", units=units, folder=str(shop.folder / "b"), unknown_price="allow")
            return job

        def committed(self, shop):
            return BudgetBook(shop.folder / "b").committed()

        @pytest.fixture
        def lips(self, shop):
            video_id, _ = shop.clip()
            speech = shop.call("speak", "Hello there, how are you today?", voice_id="oversea_male1")
            return {"kind": "lip_sync", "video_id": video_id, "audio_id": speech.audio_id, "sound_end_ms": 2000}

        @pytest.mark.parametrize("unknown_price", ["fail", "allow"])
        def test_one_that_it_cannot_cover_looks_for_nothing(self, shop, lips, unknown_price):
            job = self.job(shop, lips, "0.5")
            job.budget.unknown_price = unknown_price
            assert (shop.process(job).state, job.failure["kind"], job.failure["money"]) == (S.FAILED, "budget", "none")
            assert (shop.sent(LOOK), shop.sent(LIPS), self.committed(shop)) == (0, 0, 0)

        def test_look_and_order_are_committed(self, shop, lips):
            job = shop.process(self.job(shop, lips, "5"))
            assert job.state is S.COMPLETED, job.error
            assert self.committed(shop) == job.billed_units == CREATE_UNITS + LOOK_UNITS

        def test_a_lost_look_stays_committed(self, shop, lips):
            shop.cut(LOOK)
            shop.process(self.job(shop, lips, "5"))
            assert self.committed(shop) == LOOK_UNITS
            job = shop.cleared("job", S.CREATED, repeat_unanswered=True)
            assert self.committed(shop) == job.billed_units == CREATE_UNITS + 2 * LOOK_UNITS

        def test_a_repetition_that_it_does_not_cover_is_not_made(self, shop, lips):
            shop.cut(LOOK)
            shop.process(self.job(shop, lips, "0.55"))
            job = shop.cleared("job", S.CREATED, repeat_unanswered=True, queue_seconds=0)
            assert job.state is S.CANCELLED
            assert (shop.sent(LOOK), self.committed(shop), job.failure["money"]) == (1, LOOK_UNITS, "maybe")


ARGUMENTS = {
    "tts": ("speak", lambda shop: {"text": "Hello there, how are you?", "voice_id": "oversea_male1"}),
    "recognize_image": ("recognize_image", lambda shop: {"image": shop.picture}),
    "identify_faces": ("identify_faces", lambda shop: {"video_id": shop.clip()[0]}),
    "init_selection": ("init_selection", lambda shop: {"video_id": shop.clip()[0]}),
}
OTHERS = {
    "tts": lambda shop: {"text": "Good bye, see you tomorrow!"},
    "recognize_image": lambda shop: {"image": shop.picture.replace("ocean", "sunrise")},
}


@pytest.mark.parametrize("task", ["task", None], ids=["in a task", "outside of tasks"])
@pytest.mark.parametrize("what", ARGUMENTS)
class TestTheHook:
    """What Kling answers at once, through the hook."""

    @pytest.fixture
    def call(self, shop, what, task):
        name, arguments = ARGUMENTS[what]
        known = arguments(shop)

        def call(**options):
            changes = options.pop("changes", {})
            return shop.call(name, **{"task": task, **known, **changes, **options})

        return call

    def test_an_answer_that_is_cut_is_paid_once_unless_the_user_says_so(self, shop, call, what):
        shop.cut(PATHS[what])
        for _ in range(3):
            with pytest.raises(UnansweredCallError, match="Set repeat_unanswered") as caught:
                call()
            assert (caught.value.money, caught.value.kind) == ("maybe", "ambiguous_call")
        assert shop.sent(PATHS[what]) == 1
        answer = call(repeat_unanswered=True)
        assert shop.sent(PATHS[what]) == 2
        assert without_urls(call()) == without_urls(answer)
        assert shop.sent(PATHS[what]) == 2

    def test_a_refused_repetition_does_not_take_back_that_money_may_be_spent(self, shop, call, what):
        shop.cut(PATHS[what])
        with pytest.raises(UnansweredCallError):
            call()
        shop.cut(PATHS[what], type="rate_limit")
        with pytest.raises(RateLimitError) as caught:
            call(repeat_unanswered=True)
        assert caught.value.money == "maybe"

    def test_an_answer_on_record_costs_nothing_and_holds_no_signature(self, shop, call, what):
        first = call()
        assert without_urls(call()) == without_urls(first)
        assert shop.sent(PATHS[what]) == 1
        kept = "".join(path.read_text() for path in shop.folder.rglob("*.json"))
        assert "Signature" not in kept
        assert "sandbox-key" not in kept

    def test_refusals_cost_nothing_and_hide_no_answer(self, shop, call, what):
        shop.cut(PATHS[what], type="rate_limit", times=14)
        for _ in range(14):
            with pytest.raises(RateLimitError, match="No money was spent"):
                call()
        first = call()
        assert without_urls(call()) == without_urls(first)
        assert shop.sent(PATHS[what]) == 15


def without_urls(answer):
    return json.dumps(answer, default=lambda one: {k: v for k, v in vars(one).items() if not k.endswith("url")})


class TestWhatIsTheSameCall:
    """Another request, task, map index or connection makes another call."""

    @pytest.mark.parametrize("what", OTHERS)
    def test_another_request_is_another_call(self, shop, what):
        name, arguments = ARGUMENTS[what]
        for changes in ({}, OTHERS[what](shop), {}):
            shop.call(name, **{**arguments(shop), **changes})
        assert shop.sent(PATHS[what]) == 2

    def test_each_task_and_each_map_index_makes_its_own(self, shop):
        name, arguments = ARGUMENTS["tts"]
        for _ in range(2):
            for where in ({"task": "a"}, {"task": "b"}, {"task": "b", "map_index": 0}, {"task": "b", "map_index": 1}):
                shop.call(name, **arguments(shop), **where)
        assert shop.sent(PATHS["tts"]) == 4

    def test_another_connection_pays_for_itself(self, shop, monkeypatch):
        from airflow_home import connection

        monkeypatch.setenv("AIRFLOW_CONN_OTHER", connection(shop.sandbox.url))
        name, arguments = ARGUMENTS["tts"]
        for conn_id in ("klingai_default", "other", "other"):
            shop.call(name, **arguments(shop), conn_id=conn_id)
        assert shop.sent(PATHS["tts"]) == 2

    def test_the_client_of_the_hook_pays_once_too(self, shop):
        from airflow_provider_klingvideo.hooks.klingai import KlingAIHook

        name, arguments = ARGUMENTS["tts"]
        shop.call(name, **arguments(shop), task=None)
        with KlingAIHook().get_conn() as client:
            client.speak(**arguments(shop))
        assert shop.sent(PATHS["tts"]) == 1

    def test_a_session_is_asked_for_anew_when_it_has_expired(self, shop, monkeypatch):
        video_id, _ = shop.clip()
        first = shop.call("init_selection", video_id=video_id)
        now = paid.utc_now
        monkeypatch.setattr(paid, "utc_now", lambda: now() + timedelta(hours=24))
        assert shop.call("init_selection", video_id=video_id).session_id != first.session_id

    def test_a_refusal_is_told_as_what_it_is(self, shop):
        shop.cut(PATHS["tts"], type="refuse", code=1201)
        with pytest.raises(InvalidRequestError, match="No money was spent"):
            shop.call("speak", "Hello", voice_id="oversea_male1")


def test_the_operator_that_speaks_pays_once_too(shop):
    from types import SimpleNamespace

    from airflow_provider_klingvideo._compat import AirflowFailException
    from airflow_provider_klingvideo.operators.speech import KlingVideoSpeakOperator

    words = {"task_id": "speak", "text": "Hello there", "voice_id": "oversea_male1"}
    context = {"ti": SimpleNamespace(dag_id="dag", run_id="run", task_id="speak", map_index=-1)}
    shop.cut(PATHS["tts"])
    for _ in range(2):
        with pytest.raises(AirflowFailException, match="Set repeat_unanswered"):
            KlingVideoSpeakOperator(**words).execute(context)
    assert shop.sent(PATHS["tts"]) == 1
    spoken = KlingVideoSpeakOperator(**words, repeat_unanswered=True).execute(context)
    assert KlingVideoSpeakOperator(**words).execute(context) == spoken
    assert shop.sent(PATHS["tts"]) == 2
