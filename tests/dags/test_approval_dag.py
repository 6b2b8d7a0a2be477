"""A person approves and rejects in Airflow: through its API for required actions, while ``dag.test`` runs."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import contextmanager

import pytest

from airflow_provider_klingvideo._compat import TaskAwaitingInput
from airflow_provider_klingvideo.workflow import WorkflowState

from .conftest import FOX
from .test_workflow_dag import creates

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.skipif(TaskAwaitingInput is None, reason="below Airflow 3.3 a triggerer is needed"),
]
S = WorkflowState
READING_SECONDS = 3


class Person:
    """Answers the required actions of DAG runs, as the page does.

    :param choose: returns ``Approve`` or ``Reject`` for an action; None to leave it.
    """

    def __init__(self, choose):
        from airflow.api_fastapi.app import create_app
        from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
        from airflow.api_fastapi.core_api.security import get_user
        from fastapi.testclient import TestClient

        self.name = "ann"
        app = create_app(apps="core")
        app.dependency_overrides[get_user] = lambda: SimpleAuthManagerUser(username=self.name, role="user")
        for route in app.routes:
            inner = getattr(route, "app", None)
            if hasattr(inner, "dependency_overrides"):
                inner.dependency_overrides.update(app.dependency_overrides)
        self.client = TestClient(app)
        self.choose = choose
        self.seen, self.answers, self.left = [], [], threading.Event()
        self.seen_at = {}

    def look(self):
        url = "/api/v2/dags/~/dagRuns/~"
        told = self.client.get(f"{url}/hitlDetails", params={"response_received": False}).raise_for_status().json()
        for action in told["hitl_details"]:
            ti = action["task_instance"]
            if ti["state"] != "awaiting_input":
                continue
            key = (ti["id"], action["subject"])
            if key not in self.seen_at:
                self.seen.append((key, action))
            # A person reads first. While the task is still being parked, an answer may be overwritten.
            if time.monotonic() - self.seen_at.setdefault(key, time.monotonic()) < READING_SECONDS:
                continue
            chosen = self.choose(action)
            if chosen is not None:
                path = f"/api/v2/dags/{ti['dag_id']}/dagRuns/{ti['dag_run_id']}/taskInstances/{ti['task_id']}"
                answer = self.client.patch(
                    f"{path}/{ti['map_index']}/hitlDetails", json={"chosen_options": [chosen], "params_input": {}}
                )
                self.answers.append(answer.status_code)

    @contextmanager
    def at_work(self):
        def work():
            while not self.left.wait(0.5):
                try:
                    self.look()
                except Exception:
                    # Such as a database that is locked: without an answer the run would never end.
                    logging.exception("A look for required actions failed")

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.left.set()
            thread.join()

    @property
    def actions(self):
        return [action for _, action in self.seen]


@contextmanager
def person(choose):
    with Person(choose).at_work() as one:
        yield one


def approve(_action):
    return "Approve"


def reject(_action):
    return "Reject"


@pytest.mark.parametrize("dag_id", ["approved", "approved_one_task"])
def test_an_approved_video_is_made_and_nobody_is_asked_again(airflow, sandbox, dag_id):
    with person(approve) as ann:
        run = airflow.run(dag_id, request=FOX)
        again = airflow.run_again(dag_id, request=FOX)
    assert (run.state, run.job().state, creates(sandbox)) == ("success", S.COMPLETED, 1)
    assert (again.state, again.job().state, creates(sandbox)) == ("success", S.COMPLETED, 1)
    (answer,) = run.job().approval.answers
    assert (answer.by, answer.about.price, answer.is_approved) == ("ann", "1.5", True)
    (action,) = ann.actions
    assert "1.5 units" in action["subject"]
    assert all(words in action["body"] for words in ("A red fox runs", "kling-2.5-turbo", "1.5 units"))


def test_a_rejected_video_is_cancelled_costs_nothing_and_is_not_asked_again(airflow, sandbox):
    with person(reject) as ann:
        run = airflow.run("approved", request=FOX)
        again = airflow.run_again("approved", request=FOX)
    for one in (run, again):
        assert (one.state, one.job().state, creates(sandbox)) == ("success", S.CANCELLED, 0)
        assert (one.tasks()["queued"], one.tasks()["cancelled"]) == ("skipped", "success")
        assert "ann rejected the job" in one.job().error
    assert len(ann.actions) == 1


def test_another_request_and_another_take_ask_again(airflow, sandbox):
    with person(approve) as ann:
        airflow.run("approved", request=FOX)
        airflow.run_again("approved", request={**FOX, "prompt": "A hare"})
        airflow.run_again("approved", request={**FOX, "prompt": "A hare"}, take=2)
    assert (len(ann.actions), creates(sandbox)) == (3, 3)


def test_each_mapped_job_has_its_own_answer(airflow, sandbox):
    def choose(action):
        return "Reject" if "Shot 1" in action["body"] else "Approve"

    with person(choose) as ann:
        run = airflow.run("approved_each", requests=[{**FOX, "prompt": f"Shot {number}"} for number in range(3)])
    states = [run.job(index, "videos.jobs").state for index in range(3)]
    assert (states, len(ann.actions)) == ([S.COMPLETED, S.CANCELLED, S.COMPLETED], 3)
    assert creates(sandbox) == 2


def test_only_assigned_users_may_answer(airflow, sandbox):
    with person(approve) as one:
        one.name = "eve"

        def choose(_action):
            if one.answers:
                assert creates(sandbox) == 0
                one.name = "bob"
            return "Approve"

        one.choose = choose
        run = airflow.run("approved", request=FOX, assigned_users="ann, bob")
    assert (run.state, run.job().approval.answers[0].by, creates(sandbox)) == ("success", "bob", 1)
    assert one.answers == [403, 200]


def test_below_the_price_nobody_is_asked(airflow, sandbox):
    run = airflow.run("approved", request=FOX, ask_above="1.5")
    assert (run.state, creates(sandbox), run.job().approval.question) == ("success", 1, None)


def test_a_compact_batch_that_is_to_ask_is_refused_before_anything_is_ordered(airflow, sandbox, capfd):
    run = airflow.run("approved_compact", requests=[FOX])
    assert (run.state, creates(sandbox)) == ("failed", 0)
    assert "A compact batch cannot ask a person" in "".join(capfd.readouterr())
