"""The same in every form: rows that are left out, rows that there are none of, and rows that could not be listed."""

from __future__ import annotations

import json
import re

import pytest
from airflow_home import connection

from airflow_provider_klingvideo.runtime.xcom import LARGEST
from airflow_provider_klingvideo.storage.names import job_id
from airflow_provider_klingvideo.workflow import WorkflowJob, WorkflowState

from .conftest import FOX

pytestmark = pytest.mark.airflow
OF_ONE = ("group", "operator")
OF_MANY = ("mapped", "strict", "compact", "single", "mapped_batch", "operators", "film")
FORMS = pytest.mark.parametrize("form", [*OF_ONE, *OF_MANY])


@pytest.fixture
def elsewhere(airflow, sandbox, connect, monkeypatch):
    """An Airflow in which only the connection that the DAG's defaults name is of any use."""
    connect(password="no-such-key")
    monkeypatch.setenv("AIRFLOW_CONN_KLINGAI_ELSEWHERE", connection(sandbox.url))
    return airflow


def states(run):
    return {(ti.task_id, ti.map_index): str(ti.state) for ti in run.dag_run.get_task_instances()}


def of_videos(run):
    """The states of the tasks that make the videos, without those before them."""
    return {task: state for task, state in states(run).items() if task[0].startswith(("videos", "film"))}


def requests(count):
    return [{**FOX, "prompt": f"Shot {number}"} for number in range(count)]


@FORMS
def test_the_connection_of_the_dags_defaults_orders_and_pays(elsewhere, sandbox, form):
    run = elsewhere.run(f"form_{form}", requests=requests(3))
    assert run.state == "success"
    assert len(sandbox.ledger()["tasks"]) == (1 if form in OF_ONE else 3)


SKIPS = [(form, way) for form in (*OF_ONE, *OF_MANY) for way in ("branch", "listing_skips")]


@pytest.mark.parametrize(("form", "way"), [*SKIPS, ("group", "short_circuit"), ("compact", "short_circuit")])
def test_what_is_left_out_is_skipped_and_costs_nothing(elsewhere, sandbox, form, way):
    run = elsewhere.run(f"form_{form}", requests=requests(2), way=way)
    assert (run.state, set(of_videos(run).values())) == ("success", {"skipped"})
    assert sandbox.ledger()["tasks"] == []
    assert not list(elsewhere.output.rglob("*.json"))


@pytest.mark.parametrize("form", OF_MANY)
def test_of_no_rows_nothing_is_made_and_nothing_fails(elsewhere, sandbox, form):
    run = elsewhere.run(f"form_{form}", requests=[])
    assert (run.state, set(of_videos(run).values()) - {"success"}) == ("success", {"skipped"})
    assert sandbox.ledger()["tasks"] == []


@pytest.mark.parametrize("form", ["compact", "single", "mapped_batch"])
def test_a_file_with_a_header_and_nothing_below_it_is_a_batch_of_no_rows(elsewhere, sandbox, form, tmp_path, capfd):
    path = tmp_path / "shots.csv"
    path.write_text("key,prompt,model\n")
    run = elsewhere.run(f"form_{form}", requests=f"file://{path}")
    assert (run.state, sandbox.ledger()["tasks"]) == ("success", [])
    assert "The batch has no rows: there is nothing to do" in "".join(capfd.readouterr())


@FORMS
def test_a_task_before_that_failed_is_named_and_no_lost_record_is_told_of(elsewhere, sandbox, form, capfd):
    run = elsewhere.run(f"form_{form}", requests=requests(2), way="listing_fails")
    told = "".join(capfd.readouterr())
    judged = {"videos.verdict": "failed", "videos.failed": "skipped"}
    expected = {task: judged.get(task[0], "upstream_failed") for task in of_videos(run)}
    expected.update({task: "skipped" for task in expected if task[0] == "videos.cancelled"})
    assert (run.state, of_videos(run), sandbox.ledger()["tasks"]) == ("failed", expected, [])
    assert "There is no job record" not in told
    assert re.search(r"(No job was begun|The batch has no requests): task listing failed\.", told) or "operator" in form


def test_a_batch_whose_check_failed_names_the_check_and_no_lost_records(elsewhere, sandbox, capfd):
    run = elsewhere.run("form_strict", requests=[*requests(1), {**FOX, "duration": 7}])
    assert (run.state, sandbox.ledger()["tasks"]) == ("failed", [])
    assert "2 of 2 jobs did not succeed, none was begun: task videos.checked failed" in "".join(capfd.readouterr())


class TestTheSameRunAgain:
    """A run that is cleared, of which a branch now leaves out what was made before."""

    @pytest.mark.parametrize("form", ["group", "mapped", "compact"])
    def test_skips_what_ended_before_whatever_became_of_it(self, elsewhere, sandbox, form):
        failing = [{**FOX, "prompt": "x [sandbox:fail]"}]
        assert elsewhere.run(f"form_{form}", requests=failing).state == "failed"
        run = elsewhere.run_again(f"form_{form}", requests=failing, way="branch")
        assert (run.state, set(of_videos(run).values())) == ("success", {"skipped"})
        assert len(sandbox.ledger()["tasks"]) == 1

    def test_looks_after_a_job_that_nobody_has_ended(self, elsewhere, sandbox):
        _, run_id, store = elsewhere.next_run("form_group")
        store.save(WorkflowJob(id=job_id("form_group", run_id, "videos", -1), state=WorkflowState.GENERATING))
        run = elsewhere.run("form_group", requests=requests(1), way="listing_skips")
        job = run.job(key="videos")
        assert (run.state, job.state, job.failure["kind"]) == ("failed", WorkflowState.FAILED, "abandoned")


@pytest.mark.parametrize("where", ["validated", "queued"])
def test_a_record_that_was_lost_is_told_of_and_not_taken_for_a_job_that_was_never_begun(
    elsewhere, sandbox, capfd, where, monkeypatch
):
    """A worker that does not see the folder of the others."""
    from airflow_provider_klingvideo.operators.klingvideo import _PhaseOperator

    work = _PhaseOperator.execute

    def execute(self, context):
        if self.task_id == f"videos.{where}":
            for record in elsewhere.output.rglob("job.json"):
                record.unlink()
        return work(self, context)

    monkeypatch.setattr(_PhaseOperator, "execute", execute)
    run = elsewhere.run("form_group", requests=requests(1))
    assert (run.state, of_videos(run)["videos.failed", -1], sandbox.ledger()["tasks"]) == ("failed", "failed", [])
    told = "".join(capfd.readouterr())
    assert "There is no job record" in told
    assert "No job was begun" not in told


# They run where a job failed or was cancelled; what never ran has its number.
ENDS = ("failed", "cancelled")


def names(run):
    return {
        (ti.task_id.rpartition(".")[2], ti.map_index): ti.rendered_map_index
        for ti in run.dag_run.get_task_instances()
        if ti.map_index >= 0
    }


class TestNamesOfMappedTasks:
    """What a square of the grid is called."""

    ROWS = (
        {**FOX, "key": "fox", "prompt": "A red fox"},
        {**FOX, "key": "7", "prompt": "A hare"},
        {**FOX, "prompt": "An owl looks from its tree " * 9},
        {**FOX, "prompt": "('Snow', 1)"},
        {"kind": "avatar", "image": "https://pictures.example/x.png", "audio_id": "7"},
    )
    SHORT = "An owl looks from its tree An owl looks from its tree An ow…"

    @pytest.mark.parametrize("mode", ["single", "mapped"])
    def test_of_a_batch_are_the_keys_of_its_rows_else_prompts(self, airflow, sandbox, mode):
        """In a DAG with native objects, which makes numbers of texts that look like them."""
        run = airflow.run(f"rows_{mode}", rows=list(self.ROWS), batch="spring")
        expected = dict(enumerate(["fox", "row 7", self.SHORT, "row ('Snow', 1)", "avatar"]))
        found = names(run)
        begin = "video" if mode == "single" else "created"
        assert {index: name for (task, index), name in found.items() if task == begin} == expected
        assert {name for (task, index), name in found.items() if index == 1 and task not in ENDS} == {"row 7"}

    def test_of_a_compact_batch_are_its_rows(self, airflow, sandbox):
        run = airflow.run("rows_compact", rows=[{**FOX, "prompt": f"{one}"} for one in range(5)], batch="spring")
        assert names(run) == {
            ("videos", 0): "rows 1 to 2",
            ("videos", 1): "rows 3 to 4",
            ("videos", 2): "row 5",
        }

    @pytest.mark.parametrize("form", ["mapped", "operators"])
    def test_of_requests_are_the_beginnings_of_their_prompts(self, elsewhere, sandbox, form):
        given = [{**FOX, "prompt": "A red fox"}, {**FOX, "prompt": "A  hare\n[sandbox:fail=Image pixel is invalid]"}]
        found = names(elsewhere.run(f"form_{form}", requests=given))
        ran = {name for (task, index), name in found.items() if index == 1 and task in ("videos", "created", "verdict")}
        assert ran == {"A hare [sandbox:fail=Image pixel is invalid]"}
        assert {name for (task, index), name in found.items() if index == 0 and task not in ENDS} == {"A red fox"}

    def test_of_a_mapped_function_are_the_beginnings_of_what_it_asks_for(self, airflow, sandbox):
        run = airflow.run("decorated", prompts=["Fox"])
        assert re.fullmatch("Fox, call [0-9]+, decorated", names(run)["video", 0])


@pytest.mark.parametrize("form", [*OF_ONE, "mapped", "compact", "single", "mapped_batch", "operators"])
@pytest.mark.parametrize("monster", ["prompt", "words"])
def test_what_travels_of_monsters_is_small(elsewhere, sandbox, form, monster):
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    if monster == "words":
        action = {"type": "refuse", "http_status": 400, "code": 1301, "message": "No. " * 25_000}
        sandbox.add_rule({"match": {"method": "POST", "path": "/text-to-video/*"}, "action": action})
    asked = [{**FOX, "prompt": "🦊" * 100_000 if monster == "prompt" else "A fox"} for _ in range(2)]
    run = elsewhere.run(f"form_{form}", requests=asked)
    with create_session() as session:
        sent = session.query(XComModel).filter_by(dag_id=run.dag_run.dag_id, run_id=run.dag_run.run_id)
        sizes = {(one.task_id, one.map_index, one.key): len(json.dumps(one.value)) for one in sent}
    carried = {what: size for what, size in sizes.items() if what[0] not in ("listing", "videos.rows")}
    assert run.state == "failed"
    assert max(carried.values(), default=0) <= LARGEST + 100
