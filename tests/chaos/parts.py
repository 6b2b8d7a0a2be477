"""Airflow in parts that can be killed and started one by one, on PostgreSQL, and a sandbox that is a process, too.

.. code-block:: python

    with Postgres() as database, Sandbox(folder) as sandbox, AirflowParts(folder, database.url, sandbox.url) as parts:
        parts.airflow.trigger("single", "run-1", request={"prompt": "A fox #001"})
        parts.points.arm("after_post", "001")
        parts.kill("triggerer")                  # SIGKILL, with every process that it has started
        parts.start("triggerer")
        parts.start("triggerer-2")               # a second one; a scheduler likewise
        parts.kill("scheduler", orphan=True)     # its tasks run on
        sandbox.kill()
        sandbox.start()                          # with all tasks that it had accepted
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import httpx
import psutil
from live_airflow import LiveAirflow, until

from airflow_provider_klingvideo.demo.processes import Process, Server, free_port, own_script
from airflow_provider_klingvideo.demo.servers import airflow_environment, sandbox_server

from .points import FOLDER_VARIABLE, Points

DAGS = Path(__file__).parent / "dags"
TESTS = Path(__file__).parents[1]
READY_SECONDS = 120.0

COMMANDS: Mapping[str, Sequence[str]] = {
    "api-server": ("api-server",),
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "triggerer": ("triggerer", "--skip-serve-logs"),
    "dag-processor": ("dag-processor",),
}

# What is lost is noticed within seconds, where it takes minutes by default.
IMPATIENT = {
    "CORE__PARALLELISM": "8",
    "CORE__MAX_ACTIVE_TASKS_PER_DAG": "2000",
    "CORE__DEFAULT_POOL_TASK_SLOT_COUNT": "2000",
    "DAG_PROCESSOR__PARSING_PROCESSES": "1",
    "KLINGVIDEO__POLL_MIN_SECONDS": "1",
    "KLINGVIDEO__POLL_MAX_SECONDS": "3",
    "KLINGVIDEO__SLOT_PAUSE_SECONDS": "2",
    # Of several large runs a few at a time, so that the heartbeat is not late.
    "SCHEDULER__MAX_DAGRUNS_PER_LOOP_TO_SCHEDULE": "2",
    "SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "10",
    "SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "30",
    "SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "2",
    "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
    "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
    "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
    "TRIGGERER__JOB_HEARTBEAT_SEC": "2",
    "TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "15",
}


class Sandbox:
    """A sandbox in a process of its own, which keeps its tasks in a file.

    :param folder: for its state and its log.
    :param options: further options of ``klingvideo sandbox``.
    """

    def __init__(self, folder: Path, options: Sequence[str] = ()) -> None:
        self._folder = folder
        self._options = [
            *("--state", str(folder / "sandbox.db"), "--slots", "100", "--queue-seconds", "0"),
            *("--generation-seconds", "3", "--max-render-height", "120", "--log-level", "warning", *options),
        ]
        self.url = f"http://127.0.0.1:{free_port(0)}"
        self._server: Server | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self, *, forgetful: bool = False, full: bool = False) -> None:
        """Start it.

        :param forgetful: without the tasks that it had accepted.
        :param full: without a slot: it takes no orders until its settings say how many there are.
        """
        if forgetful:
            (self._folder / "sandbox.db").unlink(missing_ok=True)
        options = [*self._options, *(("--slots", "0") if full else ())]
        self._server = sandbox_server(self._folder, self.url, options)
        self._server.wait_until_ready(READY_SECONDS)

    def kill(self) -> None:
        """SIGKILL it."""
        if self._server is not None:
            _kill_session(self._server)

    def ledger(self) -> dict[str, Any]:
        """Return its ledger."""
        return dict(self._call("GET", "ledger"))

    def requests(self) -> list[dict[str, Any]]:
        """Return the last 200 requests."""
        return list(self._call("GET", "requests"))

    def downloads(self) -> int:
        """Return how many result files were asked for, among the last 200 requests."""
        return sum(one["method"] == "GET" and "/media/" in one["path"] for one in self.requests())

    def rule(self, **rule: Any) -> None:
        """Add a rule; it lasts until the sandbox is killed."""
        self._call("POST", "rules", rule)

    def settings(self, **settings: Any) -> None:
        """Change its settings until it is killed."""
        self._call("POST", "settings", settings)

    def reset(self) -> None:
        """Forget everything."""
        self._call("POST", "reset")

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        answer = httpx.request(method, f"{self.url}/sandbox/{path}", json=body, timeout=60, trust_env=False)
        answer.raise_for_status()
        return answer.json() if answer.content else None


class AirflowParts:
    """Airflow's parts, each a process with children of its own; all run at the start.

    :param folder: for everything that Airflow and its tasks write.
    :param database_url: an empty PostgreSQL database, for SQLAlchemy.
    :param sandbox_url: the address of the default connection.
    :param dags: the folder of the DAG files, copied.
    :param settings: further settings, ``SECTION__OPTION`` to value.
    :param dag_ids: the DAGs that must have been read before it counts as started.
    """

    def __init__(
        self,
        folder: Path,
        database_url: str,
        sandbox_url: str,
        *,
        dags: Path = DAGS,
        settings: Mapping[str, str] | None = None,
        dag_ids: Sequence[str] = ("single", "batch", "impatient"),
    ) -> None:
        self._dag_ids = dag_ids
        self.folder = folder
        self.points = Points(folder / "points")
        url = f"http://127.0.0.1:{free_port(0)}"
        self.airflow = LiveAirflow(url, folder / "videos")
        chosen = {
            **IMPATIENT,
            "DATABASE__SQL_ALCHEMY_CONN": database_url,
            "DATABASE__SQL_ALCHEMY_CONN_ASYNC": database_url.replace("psycopg2", "asyncpg"),
            **(settings or {}),
        }
        self.environment = {
            **airflow_environment(folder, url, sandbox_url),
            **{f"AIRFLOW__{name}": value for name, value in chosen.items()},
            "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent)]),
            FOLDER_VARIABLE: str(self.points.folder),
        }
        self._processes: dict[str, Process] = {}
        self._orphaned: list[Process] = []
        shutil.copytree(dags, folder / "dags", ignore=shutil.ignore_patterns("__pycache__"))

    def __enter__(self) -> Self:
        self._migrate()
        try:
            for part in COMMANDS:
                self.start(part)
            for dag_id in self._dag_ids:
                self.wait_for_dag(dag_id)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, part: str) -> None:
        """Start a part that does not run.

        :param part: ``api-server``, ``scheduler``, ``triggerer`` or ``dag-processor``; one more of them is called
            ``triggerer-2``, for example.
        """
        assert not self.running(part), f"{part} runs already"
        kind = part if part in COMMANDS else part.rpartition("-")[0]
        command = [own_script("airflow"), *COMMANDS[kind]]
        log = self.folder / f"{part}.log"
        if kind == "api-server":
            health = f"{self.airflow.url}/api/v2/version"
            server = Server(part, command, health, log, self.environment)
            self._processes[part] = server
            server.wait_until_ready(READY_SECONDS)
        else:
            self._processes[part] = Process(part, command, log, self.environment)

    def kill(self, part: str, *, orphan: bool = False) -> None:
        """SIGKILL a part.

        :param part: see :meth:`start`.
        :param orphan: only the part itself; what it has started runs on. Otherwise a scheduler's tasks and workers die
            with it, as when a machine is lost.
        """
        process = self._processes[part]
        if orphan:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            self._orphaned.append(process)
        else:
            _kill_session(process)

    def restart(self, part: str) -> None:
        """SIGKILL a part and start it again."""
        self.kill(part)
        self.start(part)

    def running(self, part: str) -> bool:
        """Whether a part's process runs."""
        process = self._processes.get(part)
        return process is not None and process.is_running

    def heartbeats(self) -> dict[str, str]:
        """Return what Airflow says of the health of its parts: ``scheduler`` to ``healthy``, and so on."""
        health = httpx.get(f"{self.airflow.url}/api/v2/monitor/health", timeout=30, trust_env=False).json()
        return {part: str(state["status"]) for part, state in health.items()}

    def wait_for_dag(self, dag_id: str) -> None:
        """Wait until Airflow has read a DAG."""
        url = f"{self.airflow.url}/api/v2/dags/{dag_id}"
        until(lambda: httpx.get(url, timeout=30, trust_env=False).is_success, f"Airflow reads {dag_id}")

    def mend(self) -> None:
        """Have each part once, no orphans, and no tokens."""
        self._end_orphans()
        for part in self._processes.keys() - COMMANDS.keys():
            self.kill(part)
        self.revive()
        self.points.clear()

    def revive(self) -> list[str]:
        """Start the parts that have ended, as a service manager does, after all that they have left; return which."""
        ended = [part for part in COMMANDS if not self.running(part)]
        for part in ended:
            if part in self._processes:
                self.kill(part)
            self.start(part)
        return ended

    def stop(self) -> None:
        """End every part and everything that it has started."""
        self._end_orphans()
        for process in self._processes.values():
            _kill_session(process)

    def processor_seconds(self) -> float:
        """The processor time of all parts so far, with what their tasks have used that have ended."""
        return sum(_used(process.pid) for process in self._processes.values())

    def _end_orphans(self) -> None:
        """End what outlived its part: the idle workers of a scheduler stay for ever."""
        while self._orphaned:
            _kill_session(self._orphaned.pop())

    def _migrate(self) -> None:
        with (self.folder / "migrate.log").open("wb") as log:
            subprocess.run(
                [own_script("airflow"), "db", "migrate"],
                env={**os.environ, **self.environment},
                stdout=log,
                stderr=subprocess.STDOUT,
                check=True,
                timeout=READY_SECONDS,
            )


def _kill_session(process: Process) -> None:
    """SIGKILL a process and all that it has started: tasks have process groups of their own, but the same session."""
    while alive := [pid for pid in psutil.pids() if _session(pid) == process.pid]:
        for pid in alive:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            process.wait()
        time.sleep(0.05)


def _used(pid: int) -> float:
    """What a process, all that run below it, and all that have ended below it have used."""
    try:
        root = psutil.Process(pid)
        family = [root, *root.children(recursive=True)]
        times = [one.cpu_times() for one in family if one.is_running()]
    except psutil.Error:
        return 0.0
    return sum(one.user + one.system + one.children_user + one.children_system for one in times)


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid) if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE else None
    except (ProcessLookupError, psutil.Error):
        return None
