"""A connection that is missing, of another type, contradictory, or typed with blanks: in every form."""

from __future__ import annotations

import json
import os

import pytest
from airflow.secrets.environment_variables import EnvironmentVariablesBackend
from airflow_home import connection

from airflow_provider_klingvideo.runtime.connections.faults import ConnectionSettingsError
from airflow_provider_klingvideo.workflow import WorkflowState

from .conftest import FOX

pytestmark = pytest.mark.airflow

S = WorkflowState
DEFAULT = "AIRFLOW_CONN_KLINGAI_DEFAULT"
MISSING = None
OTHER_TYPE = json.dumps({"conn_type": "http", "host": "http://gateway", "password": "k"})
CONTRADICTION = connection("http://gateway", port=8080, schema="https")
BAD = {
    MISSING: "airflow connections add klingai_default --conn-type klingai",
    OTHER_TYPE: "its type is 'http'",
    CONTRADICTION: "it says https, and the host says http",
}
FORMS = {
    "single": {"request": FOX},
    "batch": {"requests": [FOX, {**FOX, "prompt": "A hare"}]},
    "rows_compact": {"rows": [{"key": "a", **FOX}, {"key": "b", **FOX}]},
    "one_task": {"request": FOX},
}
JOBS = {"single": 1, "batch": 2, "rows_compact": 2, "one_task": 1}


def most_tries(run):
    return max(ti.try_number for ti in run.dag_run.get_task_instances())


@pytest.fixture
def kept_connection(monkeypatch):
    """Give Airflow a connection as text, None for none."""

    def keep(text, name=DEFAULT):
        monkeypatch.delenv(name, raising=False)
        if text is not None:
            monkeypatch.setenv(name, text)

    return keep


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("bad", [MISSING, OTHER_TYPE, CONTRADICTION], ids=["missing", "other type", "contradiction"])
def test_it_ends_the_run_at_once_before_anything_is_ordered(airflow, sandbox, kept_connection, capfd, form, bad):
    kept_connection(bad)
    run = airflow.run(form, **FORMS[form])
    assert (run.state, most_tries(run), sandbox.ledger()["tasks"]) == ("failed", 1, [])
    assert BAD[bad] in "".join(capfd.readouterr())
    if form != "rows_compact":
        job = run.job(0, key="videos.jobs") if form == "batch" else run.job()
        assert (job.state, job.failure["kind"], job.failure["money"]) == (S.FAILED, "connection", "none")
        assert BAD[bad] in job.error


@pytest.mark.parametrize("form", ["elsewhere_compact", "elsewhere_mapped", "elsewhere_single"])
def test_the_users_retries_are_not_spent_on_it(airflow, sandbox, form):
    run = airflow.run(form, requests=[FOX])
    assert (run.state, most_tries(run), sandbox.ledger()["tasks"]) == ("failed", 1, [])


@pytest.mark.parametrize("form", FORMS)
def test_blanks_around_what_was_typed_change_nothing(airflow, sandbox, kept_connection, form):
    host = sandbox.url.replace("http://", "HTTP://")
    kept_connection(connection(f" {host}/ \n", password="\u200b'Bearer sandbox-key' ", extra=" \n"))
    run = airflow.run(form, **FORMS[form])
    assert (run.state, len(sandbox.ledger()["tasks"])) == ("success", JOBS[form])


@pytest.mark.parametrize("form", ["single", "rows_compact", "one_task"])
def test_a_place_that_cannot_be_asked_for_a_moment_costs_a_try_and_no_more(airflow, sandbox, monkeypatch, form):
    ask, errors = EnvironmentVariablesBackend.get_connection, [OSError("timed out")] * 3

    def get_connection(self, conn_id, **options):
        if errors and conn_id == "klingai_default":
            raise errors.pop()
        return ask(self, conn_id, **options)

    monkeypatch.setattr(EnvironmentVariablesBackend, "get_connection", get_connection)
    run = airflow.run(form, **FORMS[form])
    assert (run.state, most_tries(run), len(sandbox.ledger()["tasks"])) == ("success", 2, JOBS[form])


def test_a_speech_is_not_begun_without_a_connection(airflow, sandbox, connect, kept_connection):
    from airflow_provider_klingvideo.hooks.klingai import KlingAIHook

    words = {"text": "Good morning, little fox, did you sleep well?", "voice_id": "oversea_male1"}
    kept_connection(MISSING)
    with pytest.raises(ConnectionSettingsError):
        KlingAIHook().speak(**words)
    connect()
    assert KlingAIHook().speak(**words).audio_id


class TestWhileAJobWaits:
    @pytest.fixture
    def lost_at(self, airflow, monkeypatch):
        """Take the connection away at a moment of a job."""
        import klingvideo_tests

        def lose_at(moment, text=None):
            def listen(entry):
                if str(entry.data.get("to") if entry.event == "transition" else entry.event) == moment:
                    os.environ.pop(DEFAULT, None)
                    if text:
                        os.environ[DEFAULT] = text

            monkeypatch.setattr(klingvideo_tests, "lose", listen, raising=False)
            monkeypatch.setenv("AIRFLOW__KLINGVIDEO__LISTENERS", "klingvideo_tests.lose")

        return lose_at

    @pytest.mark.parametrize(
        ("form", "bad"),
        [("single", MISSING), ("batch", MISSING), *(("one_task", bad) for bad in BAD)],
        ids=["group-missing", "batch-missing", "task-missing", "task-other type", "task-contradiction"],
    )
    def test_it_ends_at_once_and_what_was_paid_is_taken_later(
        self, airflow, sandbox, connect, monkeypatch, lost_at, capfd, form, bad
    ):
        lost_at("call_answered", bad)
        run = airflow.run(form, **FORMS[form])
        assert (run.state, most_tries(run)) == ("failed", 1)
        assert BAD[bad] in "".join(capfd.readouterr())
        paid = len(sandbox.ledger()["tasks"])
        assert paid
        monkeypatch.delenv("AIRFLOW__KLINGVIDEO__LISTENERS")
        connect()
        again = airflow.run_again(form, **FORMS[form])
        assert again.state == "success"
        assert len(sandbox.ledger()["tasks"]) == JOBS[form]
