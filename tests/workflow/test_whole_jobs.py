"""Whole jobs in one asyncio process, by the same steps as in Airflow, against the sandbox over HTTP."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from workshop import KEY, Workshop, slots_of

from airflow_provider_klingvideo.kling import ApiKeyAuth, AsyncKlingClient, KlingClient, parse_request
from airflow_provider_klingvideo.kling.wire.bills import Bill
from airflow_provider_klingvideo.media import RenderPlan
from airflow_provider_klingvideo.workflow import (
    PollPolicy,
    StepSettings,
    VideoHandlers,
    VideoSteps,
    WorkflowEngine,
    WorkflowJob,
    WorkflowState,
    reopened,
)
from airflow_provider_klingvideo.workflow.gates.slots.slots import Place, SlotBoard, SlotRules, Slots
from airflow_provider_klingvideo.workflow.job.errors import ChangedRequestError
from airflow_provider_klingvideo.workflow.job.paid import utc_now
from airflow_provider_klingvideo.workflow.job.sections import Files
from airflow_provider_klingvideo.workflow.job.store import RecordOvertakenError
from airflow_provider_klingvideo.workflow.waiting.following import followed_call, result_of

S = WorkflowState
CREATES = {"method": "POST", "path": "/text-to-video/*"}


@pytest.fixture
def sandbox(quick_sandbox):
    quick_sandbox.reset()
    return quick_sandbox


def fox(**fields):
    return WorkflowJob(id="job-1", prompt="A fox", params={"model": "kling-2.5-turbo"}, **fields)


@pytest.fixture
def workshop(sandbox, tmp_path):
    return Workshop(sandbox, tmp_path)


def creates_fail(sandbox, times=None, **action):
    sandbox.add_rule({"match": CREATES, "action": action, "times": times})


def tasks(sandbox):
    return sandbox.ledger()["tasks"]


def test_a_job_ends_with_its_files_and_the_price_that_was_estimated(sandbox, tmp_path):
    workshop = Workshop(sandbox, tmp_path, plan=RenderPlan())
    job = workshop.process(fox())
    assert job.state is S.COMPLETED, job.error
    assert job.estimate.units == str(job.result.bill.units) == str(job.billed_units) == "1.5"
    names = {"source.mp4", "master.mp4", "poster.jpg", "preview.webp", "contact_sheet.jpg"}
    assert set(job.files.artifacts) == names
    assert all((workshop.store.folder(job.id) / name).exists() for name in names)
    assert workshop.store.load(job.id) == job


@pytest.mark.parametrize("state", [S.CREATED, S.VALIDATED, S.QUEUED, S.GENERATING, S.POST_PROCESSING])
def test_a_job_that_was_cut_off_in_any_state_goes_on_and_is_paid_once(workshop, sandbox, state):
    done = workshop.process(fox())
    again = workshop.process(reopened(done, state))
    assert again.state is S.COMPLETED
    assert len(tasks(sandbox)) == 1


@pytest.mark.scenario(16)
def test_a_lost_record_leads_back_to_the_same_task(workshop, sandbox):
    workshop.process(fox())
    (workshop.store.folder("job-1") / "job.json").unlink()
    again = workshop.process(fox())
    assert again.klingai_job_id == tasks(sandbox)[0]["id"]
    assert len(tasks(sandbox)) == 1


@pytest.mark.scenario(13)
def test_an_intent_without_an_answer_is_looked_up_before_anything_is_sent(workshop, sandbox):
    creates_fail(sandbox, type="drop_after", times=1)
    lost = workshop.process(fox())
    assert lost.state is S.COMPLETED
    job = reopened(lost, S.QUEUED)
    job.klingai_job_id = job.submissions[0].task_id = None
    job.submissions[0].verdict = job.submissions[0].accepted_at = job.submissions[0].bill = None
    (note,) = (workshop.store.folder(job.id) / "calls").iterdir()
    note.unlink()
    seen = sandbox.ledger()["requests"]
    again = workshop.process(job)
    assert again.state is S.COMPLETED
    sent = {what: n for what, n in sandbox.ledger()["requests"].items() if what.startswith("POST")}
    assert sent == {what: n for what, n in seen.items() if what.startswith("POST")}


@pytest.mark.scenario(15)
def test_while_the_look_up_fails_nothing_is_sent_again(workshop, sandbox):
    creates_fail(sandbox, type="drop_after", times=1)
    sandbox.add_rule(
        {
            "match": {"method": "GET", "path": "/tasks"},
            "action": {"type": "html", "http_status": 502, "store": False},
            "after": 1,
        }
    )
    job = workshop.process(fox())
    assert (job.state, job.failure["kind"], job.failure["money"]) == (S.FAILED, "ambiguous_submission", "maybe")
    assert len(tasks(sandbox)) == 1
    sandbox.clear_rules()
    again = workshop.process(reopened(job, S.GENERATING))
    assert (again.state, len(tasks(sandbox))) == (S.COMPLETED, 1)


@pytest.mark.scenario(13)
def test_a_task_that_the_vendor_does_not_list_yet_is_no_refusal(workshop, sandbox):
    creates_fail(sandbox, type="drop_after", times=1)
    lag = {"match": {"method": "GET", "path": "/tasks"}, "action": {"type": "omit_from_batch"}, "times": 2}
    sandbox.add_rule(lag)
    job = workshop.process(fox())
    assert (job.state, job.failure["kind"], job.failure["money"]) == (S.FAILED, "ambiguous_submission", "maybe")
    assert job.failure["retryable"]
    assert "already exists" in job.error
    again = workshop.process(reopened(job, S.GENERATING))
    assert (again.state, again.klingai_job_id) == (S.COMPLETED, tasks(sandbox)[0]["id"])
    assert len(tasks(sandbox)) == 1


@pytest.mark.parametrize("code", [1303, 1301, 1102])
def test_a_refusal_after_a_doubt_does_not_end_the_doubt(workshop, sandbox, code):
    creates_fail(sandbox, type="drop_after", times=1)
    lag = {"match": {"method": "GET", "path": "/tasks"}, "action": {"type": "omit_from_batch"}, "times": 1}
    sandbox.add_rule(lag)
    sandbox.add_rule({"match": CREATES, "action": {"type": "refuse", "code": code}, "times": 1, "after": 1})
    job = workshop.process(fox())
    if job.state is S.FAILED:
        assert (job.failure["money"], job.submissions[0].is_open) == ("maybe", True)
        job = workshop.process(reopened(job, S.GENERATING))
    assert (job.state, job.klingai_job_id) == (S.COMPLETED, tasks(sandbox)[0]["id"])
    assert len(tasks(sandbox)) == 1


def test_a_create_that_is_never_answered_ends_as_unknown_not_as_free(workshop, sandbox):
    creates_fail(sandbox, type="drop_before")
    job = workshop.process(fox())
    assert (job.state, job.failure["kind"], job.failure["money"]) == (S.FAILED, "ambiguous_submission", "maybe")


@pytest.mark.scenario(16)
def test_a_refusal_is_free_and_says_so(workshop, sandbox):
    creates_fail(sandbox, type="refuse", http_status=400, code=1201, message="prompt is bad")
    job = workshop.process(fox())
    assert (job.failure["kind"], job.failure["money"]) == ("invalid_request", "none")
    assert "prompt is bad" in job.error
    sandbox.clear_rules()
    assert workshop.process(reopened(job, S.QUEUED)).state is S.COMPLETED


@pytest.mark.scenario(17)
def test_another_prompt_is_another_task_and_the_old_handle_stays(workshop, sandbox):
    first = workshop.process(fox())
    job = reopened(first, S.CREATED)
    job.prompt = "A hare"
    again = workshop.process(job)
    assert len(tasks(sandbox)) == 2
    assert [one.task_id for one in again.submissions] == [first.klingai_job_id, again.klingai_job_id]
    assert (workshop.store.folder(job.id) / f"task-{first.klingai_job_id}" / "master.mp4").exists()


@pytest.mark.scenario(18)
def test_two_workers_on_one_job_pay_once(workshop, sandbox):
    async def both():
        return await asyncio.gather(workshop._process(fox()), workshop._process(fox()), return_exceptions=True)

    outcomes = asyncio.run(both())
    (task,) = tasks(sandbox)
    done = workshop.store.load("job-1")
    assert (done.state, done.klingai_job_id) == (S.COMPLETED, task["id"])
    # The slower one stands back, or has found everything done.
    for outcome in outcomes:
        assert isinstance(outcome, RecordOvertakenError) or outcome.klingai_job_id == task["id"]


@pytest.mark.scenario(28)
@pytest.mark.parametrize("hours", [-2, 2], ids=["behind", "ahead"])
def test_the_vendors_clock_may_differ_from_ours(sandbox, tmp_path, hours):
    sandbox.forward(hours * 3600)
    job = Workshop(sandbox, tmp_path, generation_seconds=60).process(fox())
    stuck = fox()
    stuck.id, stuck.prompt = "job-2", "x [sandbox:stuck]"
    timed_out = Workshop(sandbox, tmp_path, generation_seconds=0.3).process(stuck)
    assert job.state is S.COMPLETED, job.error
    assert timed_out.failure["kind"] == "timeout"


@pytest.mark.scenario(9)
@pytest.mark.parametrize("code", [1302, 1303])
def test_a_full_account_is_waited_for(workshop, sandbox, code):
    creates_fail(sandbox, type="refuse", http_status=429, code=code, message="parallel task", times=3)
    assert workshop.process(fox()).state is S.COMPLETED


@pytest.mark.scenario(9)
def test_what_the_packs_allow_is_asked_for_once(workshop, sandbox):
    creates_fail(sandbox, type="refuse", http_status=429, code=1303, message="parallel task", times=3)
    assert workshop.process(fox()).state is S.COMPLETED
    assert sandbox.ledger()["requests"]["GET /account/costs 200/0"] == 1


def test_but_not_for_ever(sandbox, tmp_path):
    creates_fail(sandbox, type="refuse", http_status=429, code=1303, message="parallel task")
    job = Workshop(sandbox, tmp_path, slot_seconds=0.2).process(fox())
    assert (job.state, job.failure["kind"], job.failure["money"]) == (S.FAILED, "concurrency", "none")


class TestTheQueue:
    @pytest.mark.scenario(10)
    def test_our_own_limit_is_kept(self, sandbox, tmp_path):
        sandbox.settings(generation_seconds=0.5)
        workshop = Workshop(sandbox, tmp_path, concurrency_limit=1)
        with KlingClient(ApiKeyAuth(KEY), base_url=sandbox.url) as client:
            client.create(parse_request({"prompt": "someone else's"}), external_task_id="other")
        assert workshop.process(fox()).state is S.COMPLETED
        assert sandbox.ledger()["max_in_flight_seen"] == 1

    @pytest.mark.scenario(8)
    def test_no_slot_in_time_cancels_for_free(self, sandbox, tmp_path):
        sandbox.settings(generation_seconds=60)
        workshop = Workshop(sandbox, tmp_path, concurrency_limit=1, queue_seconds=0.2)
        with KlingClient(ApiKeyAuth(KEY), base_url=sandbox.url) as client:
            client.create(parse_request({"prompt": "someone else's"}), external_task_id="other")
        job = workshop.process(fox())
        assert (job.state, job.failure["kind"]) == (S.CANCELLED, "queue_timeout")
        assert len(tasks(sandbox)) == 1

    @pytest.mark.scenario(8)
    def test_a_person_cancels(self, workshop, sandbox):
        workshop.store.request_cancel("job-1", "Ann: wrong prompt")
        job = workshop.process(fox())
        assert (job.state, tasks(sandbox)) == (S.CANCELLED, [])

    @pytest.mark.scenario(7)
    def test_a_gate_that_breaks_cancels(self, sandbox, tmp_path):
        sandbox.add_rule({"match": {"method": "POST", "path": "/tasks"}, "action": {"type": "refuse", "code": 1103}})
        job = Workshop(sandbox, tmp_path, concurrency_limit=1).process(fox())
        assert (job.state, job.failure["kind"], tasks(sandbox)) == (S.CANCELLED, "permission", [])


class TestTheWait:
    @pytest.mark.scenario(30)
    def test_the_vendors_failure(self, workshop, sandbox):
        job = fox()
        job.prompt += " [sandbox:fail=Image pixel is invalid]"
        failed = workshop.process(job)
        assert (failed.failure["vendor_message"], failed.failure["money"]) == ("Image pixel is invalid", "none")
        assert (failed.submissions[0].verdict, str(failed.submissions[0].bill)) == ("failed", "0 units")

    @pytest.mark.scenario(32)
    def test_a_success_without_a_video(self, workshop, sandbox):
        creates_fail(sandbox, type="succeed_without_outputs")
        job = workshop.process(fox())
        assert (job.failure["kind"], job.failure["money"]) == ("no_result", "billed")
        assert job.vendor_answer["status"] == "succeeded"

    @pytest.mark.scenario(29)
    def test_a_success_that_is_seen_only_when_the_deadline_has_come_wins(self, sandbox, tmp_path):
        sandbox.settings(generation_seconds=0.3)
        workshop = Workshop(sandbox, tmp_path)
        # Only the deadline cuts the pause before the first question short.
        poll = PollPolicy(min_seconds=60, max_seconds=60)
        workshop.settings = StepSettings(media=workshop.settings.media, poll=poll, generation_seconds=0.8)
        job = workshop.process(fox())
        assert job.state is S.COMPLETED, job.error
        asked = [one for one in sandbox.requests() if "?task_ids=" in one["path"]]
        # The second one is about the address of the file.
        assert len(asked) >= 2

    @pytest.mark.scenario(28)
    def test_a_stuck_task_times_out_and_its_late_result_is_adopted(self, sandbox, tmp_path):
        sandbox.settings(generation_seconds=600)
        job = Workshop(sandbox, tmp_path, generation_seconds=0.1).process(fox())
        assert (job.state, job.failure["kind"], job.failure["money"]) == (S.FAILED, "timeout", "maybe")
        sandbox.forward(600)
        again = Workshop(sandbox, tmp_path).process(reopened(job, S.GENERATING))
        assert (again.state, len(tasks(sandbox))) == (S.COMPLETED, 1)

    @pytest.mark.scenario(27)
    def test_a_status_word_of_tomorrow(self, workshop, sandbox):
        creates_fail(sandbox, type="status_word", word="warming_up", seconds=0.3)
        assert workshop.process(fox()).state is S.COMPLETED

    @pytest.mark.scenario(26, 27)
    @pytest.mark.parametrize("http_status", [200, 503])
    def test_an_error_code_is_an_error_under_any_status_and_is_survived(self, workshop, sandbox, http_status):
        sandbox.settings(generation_seconds=0.5)
        action = {"type": "refuse", "http_status": http_status, "code": 5001, "message": "busy"}
        sandbox.add_rule({"match": {"method": "GET", "path": "/tasks"}, "action": action, "after": 2, "times": 3})
        assert workshop.process(fox()).state is S.COMPLETED
        assert len(tasks(sandbox)) == 1

    @pytest.mark.scenario(26)
    def test_out_of_sight(self, sandbox, tmp_path):
        workshop = Workshop(sandbox, tmp_path)
        sandbox.settings(generation_seconds=30)
        policy = PollPolicy(min_seconds=0.01, max_seconds=0.01, max_errors=3)
        workshop.settings = StepSettings(media=workshop.settings.media, poll=policy)
        action = {"type": "html", "http_status": 502, "store": False}
        sandbox.add_rule({"match": {"method": "GET", "path": "/tasks"}, "action": action, "after": 2})
        job = workshop.process(fox())
        assert (job.failure["kind"], job.failure["money"]) == ("polling", "maybe")
        assert job.klingai_job_id in job.error


@pytest.mark.scenario(36)
def test_an_expired_address_is_asked_for_anew(workshop, sandbox):
    action = {"type": "expired_url", "http_status": 403}
    sandbox.add_rule({"match": {"path": "/media/*"}, "action": action, "times": 1})
    assert workshop.process(fox()).state is S.COMPLETED


@pytest.mark.scenario(36)
@pytest.mark.parametrize(("days", "kind", "retryable"), [(29, "expired_url", True), (31, "expired", False)])
def test_an_address_that_stays_dead_is_final_only_after_30_days(workshop, sandbox, days, kind, retryable):
    done = workshop.process(fox())
    job = reopened(done, S.POST_PROCESSING)
    job.submissions[0].accepted_at = utc_now() - timedelta(days=days)
    for path in workshop.store.folder(job.id).glob("*.*"):
        path.unlink()
    sandbox.add_rule({"match": {"path": "/media/*"}, "action": {"type": "expired_url", "http_status": 404}})
    failed = workshop.process(job)
    assert (failed.state, failed.failure["kind"], failed.failure["money"]) == (S.FAILED, kind, "billed")
    assert failed.failure["retryable"] is retryable
    assert len(tasks(sandbox)) == 1


@pytest.mark.scenario(36)
def test_a_task_that_the_vendor_has_forgotten_after_30_days_is_expired(workshop, sandbox):
    done = workshop.process(fox())
    job = reopened(done, S.POST_PROCESSING)
    job.submissions[0].accepted_at = utc_now() - timedelta(days=31)
    (workshop.store.folder(job.id) / "source.mp4").unlink()
    sandbox.reset()
    failed = workshop.process(job)
    assert (failed.failure["kind"], sandbox.ledger()["tasks"]) == ("expired", [])


@pytest.mark.scenario(38)
def test_what_was_stored_before_a_kill_and_is_not_on_record_is_not_loaded_again(workshop, sandbox):
    done = workshop.process(fox())
    job = reopened(done, S.POST_PROCESSING)
    job.files = Files()
    loaded = sum("/media/" in one["path"] for one in sandbox.requests())
    again = workshop.process(job)
    assert again.state is S.COMPLETED
    assert again.files.artifacts["source.mp4"] == done.files.artifacts["source.mp4"]
    assert sum("/media/" in one["path"] for one in sandbox.requests()) == loaded == 1


def test_nothing_half_written_is_left_behind(workshop):
    leftover = workshop.store.folder("job-1") / ".source.mp4.0badcafe.part"
    leftover.parent.mkdir(parents=True)
    leftover.write_bytes(b"of a process that was killed")
    assert workshop.process(fox()).state is S.COMPLETED
    assert not list(leftover.parent.glob(".*"))


def test_files_that_vanish_before_the_end_are_missed(sandbox, tmp_path):
    workshop = Workshop(sandbox, tmp_path, plan=RenderPlan())
    job = workshop.process(fox())
    (workshop.store.folder(job.id) / "poster.jpg").unlink()
    (workshop.store.folder(job.id) / "preview.webp").write_bytes(b"x")

    async def complete():
        async with AsyncKlingClient(ApiKeyAuth(KEY), base_url=workshop.sandbox.url) as client:
            steps = VideoSteps(client, workshop.store, outputs=workshop.outputs, slots=slots_of(workshop.store))
            await steps.prove(job)

    with pytest.raises(Exception, match=r"poster\.jpg is missing; preview\.webp has 1 bytes instead of"):
        asyncio.run(complete())
    # ... and made again, without paying again.
    again = workshop.process(reopened(job, S.POST_PROCESSING))
    assert again.state is S.COMPLETED
    assert len(tasks(workshop.sandbox)) == 1


class TestAnotherGeneration:
    def ensure(self, workshop, job, **rules):
        async def order():
            settings = StepSettings(**rules)
            async with AsyncKlingClient(ApiKeyAuth(KEY), base_url=workshop.sandbox.url) as client:
                steps = VideoSteps(
                    client,
                    workshop.store,
                    outputs=workshop.outputs,
                    settings=settings,
                    slots=slots_of(workshop.store, settings),
                )
                assert await steps.order(job) is None
                return followed_call(job)

        return asyncio.run(order())

    @pytest.mark.scenario(41)
    def test_a_higher_number_orders_and_pays_another_video(self, workshop, sandbox):
        job = workshop.process(fox())
        for number, count in ((1, 1), (2, 2), (2, 2), (1, 2)):
            call = self.ensure(workshop, job, take=number)
            assert len(tasks(sandbox)) == count
        assert call.take == 2

    def test_a_changed_request_orders_nothing_when_the_policy_says_so(self, workshop, sandbox):
        job = workshop.process(fox())
        job.prompt = "A hare"
        with pytest.raises(ChangedRequestError, match=f"not the one that {job.klingai_job_id} was ordered with"):
            self.ensure(workshop, job, on_changed_request="fail")
        assert len(tasks(sandbox)) == 1
        job.prompt = "A fox"
        assert self.ensure(workshop, job, on_changed_request="fail").task_id == job.klingai_job_id

    def test_a_changed_request_is_ordered_when_nothing_was_paid_before(self, workshop, sandbox):
        job = fox()
        job.prompt += " [sandbox:fail]"
        failed = workshop.process(job)
        failed.prompt = "A hare"
        self.ensure(workshop, failed, on_changed_request="fail")
        assert len(tasks(sandbox)) == 2

    @pytest.mark.scenario(30)
    def test_a_failed_task_is_ordered_again_only_when_the_policy_says_so(self, workshop, sandbox):
        job = fox()
        job.prompt += " [sandbox:fail]"
        failed = workshop.process(job)
        assert self.ensure(workshop, failed).take == 1
        assert self.ensure(workshop, failed, regenerate_failed=True).take == 2
        assert self.ensure(workshop, failed, regenerate_failed=True).take == 2
        assert len(tasks(sandbox)) == 2


def test_nobody_waited_for_the_task(workshop, sandbox):
    done = workshop.process(fox())

    async def settled(job):
        async with AsyncKlingClient(ApiKeyAuth(KEY), base_url=sandbox.url) as client:
            await result_of(job, client)
        return job.result

    job = reopened(done, S.GENERATING)
    assert asyncio.run(settled(job)).bill == Bill(units="1.5")
    job.result = None
    assert asyncio.run(settled(job)).seconds == pytest.approx(5.041, abs=0.1)
    sandbox.settings(generation_seconds=60)
    job.prompt = "A hare"
    TestAnotherGeneration().ensure(workshop, job)
    job.submissions[-1].accepted_at = utc_now() - timedelta(seconds=1)
    with pytest.raises(Exception, match="nobody waited"):
        asyncio.run(settled(job))


@pytest.mark.scenario(12)
def test_an_answer_that_comes_too_late_is_found_again(workshop, sandbox):
    creates_fail(sandbox, type="slow", seconds=2, times=1)

    async def impatient():
        async with AsyncKlingClient(ApiKeyAuth(KEY), base_url=sandbox.url, timeout=0.5) as client:
            engine = WorkflowEngine(store=workshop.store)
            VideoHandlers(
                VideoSteps(
                    client,
                    workshop.store,
                    outputs=workshop.outputs,
                    settings=workshop.settings,
                    slots=slots_of(workshop.store, workshop.settings),
                )
            ).register(engine)
            return await engine.process(fox())

    job = asyncio.run(impatient())
    assert (job.state, job.klingai_job_id) == (S.COMPLETED, tasks(sandbox)[0]["id"])
    assert len(tasks(sandbox)) == 1


@pytest.mark.scenario(9)
def test_twenty_jobs_share_three_slots(workshop, sandbox):
    sandbox.settings(slots=3)

    async def together():
        jobs = (WorkflowJob(id=f"job-{number}", prompt="A fox", params=fox().params) for number in range(20))
        return await asyncio.gather(*(workshop._process(job) for job in jobs))

    jobs = asyncio.run(together())
    assert [job.state for job in jobs] == [S.COMPLETED] * 20, [job.error for job in jobs]
    ledger = sandbox.ledger()
    assert (len(ledger["tasks"]), ledger["max_in_flight_seen"]) == (20, 3)
    creates = sum(count for what, count in ledger["requests"].items() if what.startswith("POST /text-to-video"))
    assert creates > 20


def test_a_larger_pack_is_used_while_jobs_wait(sandbox, tmp_path, monkeypatch):
    monkeypatch.setattr("airflow_provider_klingvideo.workflow.gates.slots.slots.QUOTA_FRESH_SECONDS", 0)
    monkeypatch.setattr("airflow_provider_klingvideo.workflow.gates.slots.occupancy.PROBE_SECONDS", 0.5)
    with KlingClient(ApiKeyAuth(KEY), base_url=sandbox.url) as client:
        client.create(parse_request({"prompt": "someone else's [sandbox:slow=60]"}), external_task_id="other")
        running = client.in_flight("video")
    workshop = Workshop(sandbox, tmp_path, queue_seconds=20)
    monkeypatch.setattr("airflow_provider_klingvideo.workflow.gates.slots.occupancy.HASTY_PROBE_SECONDS", 0.5)
    place = Place("somebody", "video", "kling-2.5-turbo")
    slots = Slots(SlotBoard(workshop.store.base / "slots"), SlotRules())
    slots.refused(place, running)
    slots.allowed("video", 1)
    assert workshop.process(fox()).state is S.COMPLETED


@pytest.mark.scenario(9)
def test_a_full_account_is_waited_for_though_its_packs_cannot_be_asked(workshop, sandbox):
    sandbox.add_rule({"match": {"path": "/account/costs"}, "action": {"type": "refuse", "code": 1103}})
    creates_fail(sandbox, type="refuse", http_status=429, code=1303, message="parallel task", times=2)
    assert workshop.process(fox()).state is S.COMPLETED


@pytest.mark.scenario(9)
def test_a_full_account_is_waited_for_though_it_does_not_tell_what_runs(workshop, sandbox):
    sandbox.add_rule({"match": {"method": "POST", "path": "/tasks"}, "action": {"type": "html"}, "times": 1})
    creates_fail(sandbox, type="refuse", http_status=429, code=1303, message="parallel task", times=2)
    assert workshop.process(fox()).state is S.COMPLETED
    assert len(tasks(sandbox)) == 1


def test_a_file_in_the_request_itself_is_refused_for_free(workshop, sandbox):
    picture = "data:image/png;base64," + "iVBORw0KGgo" * 200
    job = workshop.process(WorkflowJob(params={"kind": "image_to_video", "image": picture}))
    assert (job.state, job.failure["kind"], job.failure["money"]) == (S.FAILED, "input", "none")
    assert "image: holds a file itself" in job.failure["message"]
    assert tasks(sandbox) == []
