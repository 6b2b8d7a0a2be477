"""Real Airflow, by ``dag.test()``, against the sandbox over HTTP."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow_home import DAG_FILES, connection, migrate, set_quick_settings

from airflow_provider_klingvideo.sandbox import SandboxServer, SandboxSettings
from airflow_provider_klingvideo.storage.names import job_id, safe_name
from airflow_provider_klingvideo.workflow import JobStore, WorkflowJob

FOX = {"prompt": "A red fox runs through fresh snow", "model": "kling-2.5-turbo"}


@pytest.fixture(scope="session")
def airflow_database() -> None:
    set_quick_settings()
    migrate()
    sys.path.insert(0, str(DAG_FILES))


@pytest.fixture(scope="session")
def sandbox_server() -> Iterator[SandboxServer]:
    settings = SandboxSettings(queue_seconds=0, generation_seconds=0.2, max_render_height=120)
    with SandboxServer(settings) as server:
        yield server


@pytest.fixture
def sandbox(sandbox_server: SandboxServer) -> SandboxServer:
    sandbox_server.reset()
    return sandbox_server


@dataclass
class Run:
    """A finished DAG run and the records of its jobs."""

    dag_run: Any
    store: JobStore

    @property
    def state(self) -> str:
        return str(self.dag_run.state)

    def tasks(self, map_index: int = -1, prefix: str = "video.") -> dict[str, str]:
        """State by task name, for one map index."""
        return {
            ti.task_id.removeprefix(prefix): str(ti.state)
            for ti in self.dag_run.get_task_instances()
            if ti.map_index == map_index and ti.task_id.startswith(prefix)
        }

    def job(self, map_index: int = -1, key: str = "video") -> WorkflowJob:
        found = self.store.load(job_id(self.dag_run.dag_id, self.dag_run.run_id, key, map_index))
        assert found is not None
        return found


class Airflow:
    """Runs the test DAGs."""

    def __init__(self, output: Path) -> None:
        self.output = output
        self._date = datetime(2026, 1, 1, tzinfo=UTC)

    def next_run(self, dag_id: str) -> tuple[datetime, str, JobStore]:
        """Date, id and store of the run that comes next, for what has to be there before it starts."""
        return self._run_of(dag_id, self._date + timedelta(days=1))

    def _run_of(self, dag_id: str, date: datetime) -> tuple[datetime, str, JobStore]:
        run_id = f"manual__{date.isoformat()}"
        return date, run_id, JobStore(self.output / safe_name(dag_id) / safe_name(run_id))

    def run(self, dag_id: str, **conf: Any) -> Run:
        """Run a DAG anew."""
        self._date += timedelta(days=1)
        return self.run_again(dag_id, **conf)

    def run_again(self, dag_id: str, **conf: Any) -> Run:
        """Run all tasks of the last run once more, as after clearing it."""
        import klingvideo_examples
        import klingvideo_forms
        import klingvideo_tests

        files = (klingvideo_tests, klingvideo_forms, klingvideo_examples)
        dag = next(vars(file)[dag_id] for file in files if dag_id in vars(file))
        date, run_id, store = self._run_of(dag.dag_id, self._date)
        defaults = [(one, one.value) for owner in (dag, *dag.tasks) for _, one in owner.params.items()]
        try:
            dag_run = dag.test(logical_date=date, run_after=date, run_conf=conf)
        finally:
            # Airflow writes what a run is given into the parameters, where the runs after it would find it.
            for one, value in defaults:
                one.value = value
        assert dag_run.run_id == run_id
        return Run(dag_run, store)


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch, sandbox: SandboxServer) -> Callable[..., None]:
    """Change the connection: ``connect(password=...)``."""

    def change(url: str = sandbox.url, **fields: Any) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_KLINGAI_DEFAULT", connection(url, **fields))

    change()
    return change


@pytest.fixture
def airflow(
    airflow_database: None,
    connect: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> Airflow:
    output = tmp_path_factory.mktemp("videos")
    monkeypatch.setenv("AIRFLOW__KLINGVIDEO__OUTPUT_PATH", f"file://{output}")
    return Airflow(output)


@pytest.fixture
def killed_at(airflow: Airflow, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """End a task as if it was killed, at the last of some moments: events of the journal, states that jobs enter."""
    import klingvideo_tests

    monkeypatch.setenv("AIRFLOW__KLINGVIDEO__LISTENERS", "klingvideo_tests.die_where_asked")
    yield lambda *moments: klingvideo_tests.moments_to_live.extend(moments)
    left = list(klingvideo_tests.moments_to_live)
    klingvideo_tests.moments_to_live.clear()
    assert not left, "nothing was killed"
