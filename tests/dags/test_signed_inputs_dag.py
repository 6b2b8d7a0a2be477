"""Inputs at signed addresses: the job works, also after a kill and a clear, and nothing shows the secret."""

from __future__ import annotations

import csv
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.request import urlopen
from uuid import uuid4

import pytest

from airflow_provider_klingvideo.workflow import WorkflowState

pytestmark = pytest.mark.airflow

S = WorkflowState
PARTS = ["query", "fragment", "user"]
FORMS = ["single", "batch", "rows_compact", "rows_mapped", "rows_single", "one_task"]
# What the author of a DAG has written or passed on himself.
AUTHORS_TASKS = {"the_request", "the_requests", "the_prompts"}
AUTHORS_TABLES = {"serialized_dag", "dag_code", "dag_run"}


class Signed:
    """A picture at a signed address.

    :param host: with its port.
    """

    def __init__(self, host, path):
        self.secret = f"s3cr3t-{uuid4().hex}"
        self.addresses = {
            "query": f"http://{host}{path}?v=1&sig={self.secret}",
            "fragment": f"http://{host}{path}#token={self.secret}",
            "user": f"http://ann:{self.secret}@{host}{path}",
        }

    def request(self, part="query", prompt="It wakes up"):
        return {"first_frame": self.addresses[part], "prompt": prompt, "model": "kling-2.5-turbo"}


@pytest.fixture
def signed(sandbox):
    return Signed(sandbox.url.removeprefix("http://"), "/sandbox/samples/square.png")


@pytest.fixture
def guarded(sandbox, monkeypatch):
    """A picture that is served to nobody who does not have the whole address."""
    with urlopen(f"{sandbox.url}/sandbox/samples/square.png") as answer:
        picture = answer.read()

    class Pictures(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path.endswith(f"sig={signed.secret}") else 403)
            self.send_header("Content-Type", "image/png")
            self.end_headers()
            self.wfile.write(picture)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Pictures)
    signed = Signed(f"127.0.0.1:{server.server_port}", "/square.png")
    # Only Kling can reach it.
    monkeypatch.setenv("AIRFLOW__KLINGVIDEO__CHECK_INPUT_URLS", "False")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield signed
    server.shutdown()
    server.server_close()


@pytest.fixture
def places(airflow, capfd, caplog):
    """Where a secret stands: files, tables, logs."""

    def of(secret):
        files = [path for path in airflow.output.rglob("*") if path.is_file()]
        lines = [*lines_of_database(), *"".join(capfd.readouterr()).splitlines(), *caplog.text.splitlines()]
        assert len(files) > 1
        return [str(path) for path in files if secret.encode() in path.read_bytes()] + [
            line for line in lines if secret in line and "_PythonDecoratedOperator" not in line
        ]

    return of


def lines_of_database() -> Iterator[str]:
    """Every row of Airflow's database, but for what the author has written."""
    from airflow.utils.session import create_session
    from sqlalchemy import MetaData, select

    with create_session() as session:
        tables = MetaData()
        tables.reflect(session.get_bind())
        for table in tables.sorted_tables:
            if table.name in AUTHORS_TABLES:
                continue
            for row in session.execute(select(table)).mappings():
                if row.get("task_id") not in AUTHORS_TASKS:
                    yield f"{table.name}: {dict(row)}"


def conf_of(form, signed, part="query"):
    request = signed.request(part)
    if form.startswith("rows"):
        return {"rows": [{**request, "key": "a"}, signed.request(part, "It sleeps")]}
    return {"requests": [request]} if form == "batch" else {"request": request}


def orders_of(form):
    return 2 if form.startswith("rows") else 1


@pytest.mark.parametrize("form", FORMS)
def test_the_secret_is_used_and_stands_nowhere(airflow, sandbox, guarded, places, form):
    run = airflow.run(form, **conf_of(form, guarded))
    assert (run.state, len(sandbox.ledger()["tasks"])) == ("success", orders_of(form))
    assert places(guarded.secret) == []


def test_without_the_secret_there_would_be_no_video(airflow, guarded):
    request = guarded.request()
    assert airflow.run("one_task", request={**request, "first_frame": f"{request['first_frame']}x"}).state == "failed"


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("form", ["single", "rows_compact"])
def test_no_mask_of_airflow_is_needed_for_it(airflow, sandbox, signed, places, monkeypatch, form, part):
    for home in ("operators.signatures", "runtime.session"):
        monkeypatch.setattr(f"airflow_provider_klingvideo.{home}.mask_secret", lambda _secret: None)
    airflow.run(form, **conf_of(form, signed, part))
    assert places(signed.secret) == []


def test_rows_of_a_file(airflow, sandbox, signed, places, tmp_path):
    path = tmp_path / "shots.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["first_frame", "prompt", "model"])
        writer.writeheader()
        writer.writerow(signed.request())
    assert airflow.run("rows_compact", rows=str(path)).state == "success"
    assert places(signed.secret) == []


class TestAfterARestart:
    @pytest.mark.parametrize(
        ("form", "moment"),
        [
            ("one_task", "call_intended"),
            ("one_task", "call_answered"),
            ("rows_compact", "VALIDATED"),
            ("single", "QUEUED"),
        ],
    )
    def test_killed_it_goes_on_and_pays_once(self, airflow, sandbox, guarded, places, killed_at, form, moment):
        killed_at(moment)
        run = airflow.run(form, **conf_of(form, guarded))
        assert (run.state, len(sandbox.ledger()["tasks"])) == ("success", orders_of(form))
        assert places(guarded.secret) == []

    @pytest.mark.parametrize("form", ["one_task", "rows_compact", "single"])
    def test_cleared_it_is_the_same_request(self, airflow, sandbox, signed, places, form):
        conf = conf_of(form, signed)
        states = [airflow.run(form, **conf).state, airflow.run_again(form, **conf).state]
        assert (states, len(sandbox.ledger()["tasks"])) == (["success", "success"], orders_of(form))
        assert places(signed.secret) == []

    def test_a_failed_one_is_ordered_when_it_is_cleared(self, airflow, sandbox, guarded, places):
        sandbox.add_rule({"match": {"method": "POST"}, "action": {"type": "refuse", "http_status": 400, "code": 1201}})
        conf = conf_of("single", guarded)
        assert airflow.run("single", **conf).job().state is S.FAILED
        sandbox.clear_rules()
        again = airflow.run_again("single", **conf)
        assert (again.job().state, len(sandbox.ledger()["tasks"])) == (S.COMPLETED, 1)
        assert places(guarded.secret) == []

    def test_with_another_key_it_is_read_anew(self, airflow, sandbox, guarded, connect, monkeypatch, places):
        conf = conf_of("one_task", guarded)
        sandbox.add_rule({"match": {"method": "POST"}, "action": {"type": "refuse", "http_status": 400, "code": 1201}})
        airflow.run("one_task", **conf)
        sandbox.clear_rules()
        secret = "sandbox-secret-key-of-singapore-0001"
        connect(password="", extra={"access_key": "sandbox-ak", "secret_key": secret})
        assert airflow.run_again("one_task", **conf).state == "success"
        assert places(guarded.secret) == []


def test_a_password_in_the_address_of_a_store_is_refused(airflow, sandbox, signed, places):
    request = {**signed.request(), "first_frame": f"s3://AK:{signed.secret}@bucket/a.png"}
    run = airflow.run("rows_compact", rows=[request])
    assert (run.state, sandbox.ledger()["tasks"]) == ("failed", [])
    assert [line for line in lines_of_database() if signed.secret in line] == []
