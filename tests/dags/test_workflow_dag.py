"""One video through Airflow: the happy path, and every way in which it can end early."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest

from airflow_provider_klingvideo.sandbox import SandboxServer, SandboxSettings
from airflow_provider_klingvideo.workflow import TRANSITIONS, WorkflowState

from .conftest import FOX

pytestmark = pytest.mark.airflow

S = WorkflowState
# What a job has besides its videos: the record, and a note of each call that cost.
KEPT = {"job.json", "calls"}
FILES = {"source.mp4", "master.mp4", "poster.jpg", "preview.webp", "contact_sheet.jpg", *KEPT}


def creates(sandbox):
    """How many create requests Kling saw, refused ones included."""
    counts = sandbox.ledger()["requests"]
    return sum(count for what, count in counts.items() if what.startswith("POST") and "video" in what)


@pytest.mark.parametrize("dag_id", ["single", "poking"])
def test_a_video_goes_through_every_state_and_its_files_lie_in_the_store(airflow, sandbox, dag_id):
    sandbox.settings(generation_seconds=0.8)
    run = airflow.run(dag_id, request=FOX)
    job = run.job()
    assert run.state == "success"
    assert job.path == [S.CREATED, S.VALIDATED, S.QUEUED, S.GENERATING, S.POST_PROCESSING, S.COMPLETED]
    assert {path.name for path in run.store.folder(job.id).iterdir()} == FILES
    assert run.tasks()["failed"] == run.tasks()["cancelled"] == "skipped"
    assert (sandbox.ledger()["spent_units"], f"{job.billed_units:f}", job.estimate.units) == (
        "1.5",
        "1.5",
        "1.5",
    )


def test_a_plan_decides_what_is_made_of_the_video(airflow):
    plan = ["master", {"preset": "web", "name": "tall", "aspect": "9:16", "fit": "blur", "width": 90}]
    run = airflow.run("planned", request=FOX, plan=json.dumps(plan))
    assert run.state == "success"
    files = {path.name for path in run.store.folder(run.job().id).iterdir()}
    assert files == {"source.mp4", "master.mp4", "tall.mp4", *KEPT}


def test_a_plan_that_is_none_fails_before_anything_is_spent(airflow, sandbox):
    run = airflow.run("planned", request=FOX, plan='["mastre"]')
    job = run.job()
    assert (run.state, job.state, job.failure["kind"], job.failure["money"]) == ("failed", S.FAILED, "plan", "none")
    assert "mastre" in job.error
    assert creates(sandbox) == 0


def test_a_picture_comes_from_a_path_and_never_into_the_record(airflow, sandbox, tmp_path):
    import httpx

    picture = tmp_path / "picture.png"
    picture.write_bytes(httpx.get(f"{sandbox.url}/sandbox/samples/sunrise.png", trust_env=False).content)
    request = {"kind": "image_to_video", "first_frame": f"file://{picture}", "model": "kling-2.5-turbo"}
    run = airflow.run("single", request=request)
    assert run.job().state is S.COMPLETED
    assert "iVBOR" not in (run.store.folder(run.job().id) / "job.json").read_text()


def test_an_asset_event_tells_where_the_video_lies(airflow):
    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session

    run = airflow.run("single", request=FOX)
    with create_session() as session:
        event = session.query(AssetEvent).order_by(AssetEvent.id.desc()).first()
    assert event.extra["path"] == run.job().processed_url


def refused_by_rule(sandbox, code, status):
    action = {"type": "refuse", "http_status": status, "code": code, "message": f"code {code}"}
    sandbox.add_rule({"match": {"method": "POST", "path": "/text-to-video/*"}, "action": action})


class TestOneClearErrorAndNothingSubmitted:
    """FAILED before anything was ordered, with the reason in ``job.json``."""

    def check(self, run, sandbox, *words, kind):
        job = run.job()
        record = json.loads((run.store.folder(job.id) / "job.json").read_text())
        assert run.state == "failed"
        assert record["state"] == "FAILED"
        assert record["failure"]["kind"] == kind
        assert record["failure"]["money"] == "none"
        for word in words:
            assert word in record["error"]
        assert creates(sandbox) == 0
        assert run.tasks()["failed"] == "success"
        assert run.tasks()["verdict"] == "failed"

    @pytest.mark.scenario(19)
    def test_rejected_key(self, airflow, sandbox, connect):
        connect(password="no-such-key")
        run = airflow.run("single", request=FOX)
        self.check(run, sandbox, "The key is wrong", "code 1002", kind="authentication")
        assert run.dag_run.get_task_instance("video.validated").try_number == 1

    def test_wrong_region(self, airflow, sandbox, connect):
        with SandboxServer(SandboxSettings(region="beijing")) as elsewhere:
            connect(elsewhere.url)
            run = airflow.run("single", request=FOX)
            assert creates(elsewhere) == 0
        self.check(run, sandbox, "created in the other region", kind="authentication")

    @pytest.mark.scenario(11)
    def test_stopped_sandbox(self, airflow, sandbox):
        sandbox.stop()
        try:
            run = airflow.run("single", request=FOX)
        finally:
            sandbox.start()
        self.check(run, sandbox, "could not be reached", "Check the base URL", kind="network")

    @pytest.mark.scenario(1)
    def test_bad_pair_of_model_and_duration(self, airflow, sandbox):
        run = airflow.run("single", request={**FOX, "duration": 7})
        self.check(run, sandbox, "duration: 7 is not offered (legal: 5 or 10 seconds)", kind="invalid_request")

    @pytest.mark.scenario(2)
    @pytest.mark.parametrize("prompt", ["", "   "])
    def test_empty_prompt(self, airflow, sandbox, prompt):
        run = airflow.run("single", request={**FOX, "prompt": prompt})
        self.check(run, sandbox, "prompt: is missing", kind="invalid_request")

    def test_unknown_field(self, airflow, sandbox):
        run = airflow.run("single", request={**FOX, "durration": 5})
        self.check(run, sandbox, "`durration` is not a field; did you mean `duration`?", kind="invalid_request")

    @pytest.mark.scenario(4)
    def test_missing_picture(self, airflow, sandbox):
        run = airflow.run("single", request={"kind": "image_to_video", "first_frame": "/no/such.png"})
        self.check(run, sandbox, "'/no/such.png' does not exist", kind="input")

    def test_broken_connection(self, airflow, sandbox, connect):
        connect(password="", extra={"access_key": "ak"})
        run = airflow.run("single", request=FOX)
        self.check(run, sandbox, "an access key needs its secret key", kind="connection")


@pytest.mark.scenario(21, 22)
@pytest.mark.parametrize(
    ("code", "status", "kind", "advice"),
    [
        (1100, 429, "account", "Ask Kling's support"),
        (1101, 429, "account", "Top up or buy a pack"),
        (1102, 429, "account", "Top up or buy a pack"),
        (1304, 429, "account", "Add the address to the account's allow-list"),
        (1300, 400, "content_policy", "Change the prompt"),
        (1301, 400, "content_policy", "Change the prompt"),
        (1103, 403, "permission", "Ask Kling"),
    ],
)
def test_a_permanent_refusal_fails_at_once_and_costs_no_retry(airflow, sandbox, code, status, kind, advice):
    refused_by_rule(sandbox, code, status)
    run = airflow.run("single", request=FOX)
    job = run.job()
    assert (job.state, job.failure["kind"], job.failure["money"]) == (S.FAILED, kind, "none")
    assert advice in job.error
    assert f"code {code}" in job.error
    assert run.dag_run.get_task_instance("video.generating").try_number == 1


@pytest.mark.scenario(30)
def test_the_vendors_words_are_told_when_it_fails(airflow, sandbox):
    run = airflow.run("single", request={**FOX, "prompt": "x [sandbox:fail=Failure to pass the risk control system]"})
    job = run.job()
    assert job.failure["vendor_message"] == "Failure to pass the risk control system"
    assert (job.state, run.state) == (S.FAILED, "failed")
    assert run.tasks()["generation"] == "failed"
    assert sandbox.ledger()["spent_units"] == "0"


@pytest.mark.scenario(8)
def test_a_job_that_is_cancelled_in_the_queue_is_never_submitted(airflow, sandbox):
    from airflow_provider_klingvideo.storage.names import job_id

    _, run_id, store = airflow.next_run("single")
    store.request_cancel(job_id("single", run_id, "video", -1), "Ann: wrong prompt")
    run = airflow.run("single", request=FOX)
    assert run.job().path == [S.CREATED, S.VALIDATED, S.QUEUED, S.CANCELLED]
    assert "Ann: wrong prompt" in run.job().error
    states = run.tasks()
    assert (states["queued"], states["cancelled"], states["failed"]) == ("skipped", "success", "skipped")
    assert (run.state, creates(sandbox)) == ("success", 0)


@pytest.mark.scenario(9)
def test_a_full_account_is_waited_for_without_spending_a_retry(airflow, sandbox):
    action = {"type": "refuse", "http_status": 429, "code": 1303, "message": "parallel task over resource pack limit"}
    sandbox.add_rule({"match": {"method": "POST", "path": "/text-to-video/*"}, "action": action, "times": 2})
    run = airflow.run("single", request=FOX)
    assert run.job().state is S.COMPLETED
    assert run.dag_run.get_task_instance("video.generating").try_number == 1
    assert len(sandbox.ledger()["tasks"]) == 1


@pytest.mark.scenario(13)
@pytest.mark.parametrize(
    "action",
    [
        {"type": "drop_after"},
        {"type": "store_then_error", "code": 5000},
        {"type": "html", "http_status": 502, "store": True},
        {"type": "html", "http_status": 502, "store": False},
        {"type": "drop_before"},
    ],
    ids=lambda action: "-".join(map(str, action.values())),
)
def test_a_create_without_a_clear_answer_is_paid_once(airflow, sandbox, action):
    sandbox.add_rule({"match": {"method": "POST", "path": "/text-to-video/*"}, "action": action, "times": 1})
    run = airflow.run("single", request=FOX)
    assert run.job().state is S.COMPLETED
    assert (len(sandbox.ledger()["tasks"]), sandbox.ledger()["spent_units"]) == (1, "1.5")


@pytest.mark.scenario(10)
def test_our_own_limit_is_waited_for_in_the_queue(airflow, sandbox, connect):
    from airflow_provider_klingvideo.kling import ApiKeyAuth, KlingClient, parse_request

    connect(extra={"concurrency_limit": 1})
    sandbox.settings(generation_seconds=3)
    with KlingClient(ApiKeyAuth("sandbox-key"), base_url=sandbox.url) as client:
        client.create(parse_request({"prompt": "someone else's"}), external_task_id="other")
    run = airflow.run("single", request=FOX)
    assert run.job().state is S.COMPLETED
    assert sandbox.ledger()["max_in_flight_seen"] == 1
    assert run.dag_run.get_task_instance("video.queued").try_number == 1


@pytest.mark.scenario(7)
def test_a_gate_that_breaks_cancels_and_submits_nothing(airflow, sandbox, connect):
    connect(extra={"concurrency_limit": 1})
    sandbox.add_rule({"match": {"method": "POST", "path": "/tasks"}, "action": {"type": "refuse", "code": 1103}})
    run = airflow.run("single", request=FOX)
    assert run.job().path == [S.CREATED, S.VALIDATED, S.QUEUED, S.CANCELLED]
    assert (run.state, run.tasks()["cancelled"], creates(sandbox)) == ("success", "success", 0)


@pytest.mark.scenario(28)
def test_a_stuck_task_times_out_without_a_retry_and_keeps_its_handle(airflow, sandbox):
    run = airflow.run("impatient", request={**FOX, "prompt": "x [sandbox:stuck]"})
    job = run.job()
    assert (job.state, job.failure["kind"], job.failure["money"]) == (S.FAILED, "timeout", "maybe")
    assert job.klingai_job_id == sandbox.ledger()["tasks"][0]["id"]
    assert run.dag_run.get_task_instance("video.generation").try_number == 1


@pytest.mark.parametrize("seconds", [0, 1], ids=["first-look", "deferred"])
def test_soft_fail_skips_the_sensor_and_the_record_says_what_happened(airflow, sandbox, seconds):
    sandbox.settings(generation_seconds=seconds)
    run = airflow.run("lenient", request={**FOX, "prompt": "x [sandbox:fail]"})
    assert run.tasks(prefix="")["wait"] == "skipped"
    assert run.job(key="create").state is S.FAILED


class TestTheSameRunAgain:
    @pytest.mark.scenario(41)
    def test_pays_nothing(self, airflow, sandbox):
        first = airflow.run("single", request=FOX)
        again = airflow.run_again("single", request=FOX)
        assert again.state == "success"
        assert (again.job(), len(sandbox.ledger()["tasks"])) == (first.job(), 1)

    @pytest.mark.scenario(41)
    def test_with_a_higher_take_orders_another_video_and_keeps_the_first(self, airflow, sandbox):
        first = airflow.run("single", request=FOX).job()
        run = airflow.run_again("single", request=FOX, take=2)
        again = run.job()
        assert (again.state, again.revision, len(sandbox.ledger()["tasks"])) == (S.COMPLETED, 2, 2)
        assert [one.take for one in again.submissions] == [1, 2]
        assert (run.store.folder(again.id) / f"task-{first.klingai_job_id}" / "master.mp4").exists()

    @pytest.mark.scenario(17)
    def test_with_an_edited_prompt_orders_another_video_and_keeps_the_old_handle(self, airflow, sandbox):
        first = airflow.run("single", request=FOX).job()
        again = airflow.run_again("single", request={**FOX, "prompt": "A hare"}).job()
        assert (again.prompt, len(sandbox.ledger()["tasks"])) == ("A hare", 2)
        assert again.submissions[0].task_id == first.klingai_job_id

    def test_fails_when_files_have_vanished_and_cannot_be_had_again(self, airflow, sandbox):
        run = airflow.run("single", request=FOX)
        (run.store.folder(run.job().id) / "source.mp4").unlink()
        sandbox.add_rule({"match": {"path": "/media/*"}, "action": {"type": "expired_url", "http_status": 404}})
        again = airflow.run_again("single", request=FOX)
        assert (again.state, again.tasks()["post_processing"]) == ("failed", "failed")
        assert again.job().state is S.COMPLETED
        sandbox.clear_rules()
        assert airflow.run_again("single", request=FOX).state == "success"
        assert len(sandbox.ledger()["tasks"]) == 1

    def test_after_a_failure_starts_anew(self, airflow, sandbox):
        refused_by_rule(sandbox, 1102, 429)
        airflow.run("single", request=FOX)
        sandbox.clear_rules()
        run = airflow.run_again("single", request=FOX)
        assert (run.job().state, run.job().revision, run.state) == (S.COMPLETED, 2, "success")
        assert (run.store.folder(run.job().id) / "job.r1.json").exists()


def test_no_secret_and_no_signed_address_is_written_anywhere(airflow, sandbox, capfd):
    from airflow.models.renderedtifields import RenderedTaskInstanceFields
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    run = airflow.run("single", request=FOX)
    texts = [(run.store.folder(run.job().id) / "job.json").read_text(), "".join(capfd.readouterr())]
    # Other tests give signed addresses as inputs of their own.
    this = {"dag_id": run.dag_run.dag_id, "run_id": run.dag_run.run_id}
    with create_session() as session:
        rendered = [str(row.rendered_fields) for row in session.query(RenderedTaskInstanceFields).filter_by(**this)]
        sent = [str(row.value) for row in session.query(XComModel).filter_by(**this)]
    assert (len(rendered) > 5, len(sent) > 5) == (True, True)
    for text in [*texts, *rendered, *sent]:
        assert "sandbox-key" not in text
        assert "Signature" not in text
        assert ".mp4?" not in text


def test_every_history_is_a_path_of_the_table(airflow):
    for prompt in ("a", "b [sandbox:fail]", ""):
        path = airflow.run("single", request={**FOX, "prompt": prompt}).job().path
        assert all(TRANSITIONS.allows(old, new) for old, new in pairwise(path))
        assert path[-1] in (S.COMPLETED, S.FAILED)


def test_operators_work_without_a_task_group(airflow):
    run = airflow.run("by_hand")
    assert run.state == "success"
    assert run.job(key="create").prompt == "A fox, by_hand"
    assert run.job(key="create").state is S.VALIDATED
