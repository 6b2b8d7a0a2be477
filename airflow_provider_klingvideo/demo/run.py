"""The demonstration from start to end."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rich.console import Console
from rich.live import Live

from airflow_provider_klingvideo.demo.airflow_api import AirflowApi
from airflow_provider_klingvideo.demo.folder import demo_folder
from airflow_provider_klingvideo.demo.keeper import Keeper
from airflow_provider_klingvideo.demo.processes import DemoError, Server, free_port, required_port
from airflow_provider_klingvideo.demo.screen import print_summary, progress_line, progress_table
from airflow_provider_klingvideo.demo.servers import airflow_server, sandbox_server
from airflow_provider_klingvideo.storage.names import job_id
from airflow_provider_klingvideo.workflow import TRANSITIONS, JobStore, WorkflowJob, WorkflowState

DAG_ID = "klingvideo_demo"
JOB_KEY = "videos.jobs"
READY_SECONDS = 180.0
# A machine that does other things, too, takes its time.
RUN_SECONDS = 900.0
FILES = ("source.mp4", "master.mp4", "poster.jpg", "preview.webp", "contact_sheet.jpg")

TEXT_REQUESTS: tuple[dict[str, Any], ...] = (
    {
        "prompt": "A red fox runs through fresh snow, low winter sun, slow motion",
        "model": "kling-3.0-turbo",
        "duration": 5,
    },
    {
        "prompt": "A paper boat sails down a rainy street, reflections of neon light",
        "model": "kling-2.5-turbo",
        "duration": 5,
        "aspect_ratio": "9:16",
    },
    {
        "prompt": "A clockmaker looks up from his bench and smiles, warm lamp light",
        "model": "kling-3.0",
        "duration": 3,
        "audio": "native",
    },
)


def demonstrate(folder: Path, console: Console, *, keep_serving: bool, port: int | None = None) -> None:
    """Start the sandbox and Airflow, make four videos, say where they lie.

    :param folder: everything is written below it; what an earlier demonstration wrote there is deleted first.
    :param console: where to show it.
    :param keep_serving: leave the servers running until Ctrl+C.
    :param port: of Airflow; None for 8080, or any free one where that is taken.
    :raises DemoError: when anything failed; the message says what.
    """
    sandbox_url = f"http://127.0.0.1:{free_port(8713)}"
    airflow_url = f"http://127.0.0.1:{free_port(8080) if port is None else required_port(port)}"
    with demo_folder(folder):
        _copy_dags(folder / "dags")
        console.print("Kling AI SANDBOX: an imitation on this machine; no money is spent.", style="bold")
        with Keeper() as keeper:
            try:
                sandbox = sandbox_server(folder, sandbox_url, environment=keeper.environment)
                sandbox.wait_until_ready(READY_SECONDS)
                airflow = airflow_server(folder, airflow_url, sandbox_url, environment=keeper.environment)
                with console.status("Airflow starts, which takes a minute on a new machine ..."):
                    airflow.wait_until_ready(READY_SECONDS)
                    api = AirflowApi(airflow_url)
                    api.wait_for_dag(DAG_ID, [sandbox, airflow])
                _make(api, folder, console, [sandbox, airflow], airflow_url, sandbox_url)
                if keep_serving:
                    console.print("Serving until Ctrl+C. Try the forms of the other DAGs.")
                    _serve([sandbox, airflow])
            finally:
                console.print("Ending Airflow and the sandbox ...")


def _make(
    api: AirflowApi, folder: Path, console: Console, servers: Sequence[Server], airflow_url: str, sandbox_url: str
) -> None:
    requests = [*TEXT_REQUESTS, _image_request(sandbox_url)]
    api.unpause(DAG_ID)
    # An id of our own: a start whose answer was lost can be sent again.
    run_id = api.trigger(DAG_ID, f"demo-{datetime.now(UTC):%Y%m%d-%H%M%S}", {"requests": requests})
    addresses = f"Run      {_run_url(airflow_url, run_id)}\nSandbox  {sandbox_url}/sandbox"
    console.print(addresses, highlight=False, soft_wrap=True)
    state = _follow(api, run_id, requests, folder, console, servers)
    _report(folder, run_id, len(requests), state, console)
    console.print(addresses, highlight=False, soft_wrap=True)


def _run_url(airflow_url: str, run_id: str) -> str:
    return f"{airflow_url}/dags/{DAG_ID}/runs/{quote(run_id, safe='')}"


def _copy_dags(target: Path) -> None:
    """Copy the demonstration's DAG and the examples: those of the wheel, or of a clone."""
    package = Path(__file__).parents[1]
    examples = next(
        (path for path in (package / "example_dags", package.parent / "example_dags") if path.is_dir()), None
    )
    for folder in (Path(__file__).parent / "dags", examples):
        if folder is not None:
            for path in folder.glob("*.py"):
                shutil.copy(path, target)


def _image_request(sandbox_url: str) -> dict[str, Any]:
    return {
        "kind": "image_to_video",
        "prompt": "The camera moves slowly closer",
        "first_frame": f"{sandbox_url}/sandbox/samples/sunrise.png",
        "model": "kling-2.6",
        "duration": 5,
    }


def _follow(
    api: AirflowApi,
    run_id: str,
    requests: Sequence[dict[str, Any]],
    folder: Path,
    console: Console,
    servers: Sequence[Server],
) -> str:
    started = time.monotonic()
    told = ""
    with Live(console=console, refresh_per_second=2, transient=not console.is_terminal) as live:
        while True:
            for server in servers:
                server.ensure_running()
            state = api.run_state(DAG_ID, run_id)
            seconds = time.monotonic() - started
            jobs = _jobs(folder, run_id, len(requests))
            live.update(progress_table(requests, jobs, seconds))
            if not console.is_terminal and told != (told := progress_line(jobs)):
                console.print(f"{seconds:4.0f} s  {told}", highlight=False)
            if state in {"success", "failed"}:
                return state
            if seconds > RUN_SECONDS:
                raise DemoError(f"The run is still {state} after {seconds:.0f} s; see {folder / 'airflow.log'}.")
            time.sleep(1)


def _store(folder: Path, run_id: str) -> JobStore:
    from airflow_provider_klingvideo.runtime.session import Session

    return Session(output_path=(folder / "videos").absolute().as_uri()).store(DAG_ID, run_id)


def _jobs(folder: Path, run_id: str, count: int) -> list[WorkflowJob | None]:
    store = _store(folder, run_id)
    return [store.load(job_id(DAG_ID, run_id, JOB_KEY, index)) for index in range(count)]


def _report(folder: Path, run_id: str, count: int, state: str, console: Console) -> None:
    """Print the files; raise when the run, a job or a file is not as it should be."""
    found = _jobs(folder, run_id, count)
    jobs = [job for job in found if job is not None]
    records = _store(folder, run_id).base
    base = folder / "videos" / records.parent.name / records.name
    print_summary(console, jobs, base)
    faults = [] if state == "success" else [f"Airflow says that the run is {state}"]
    faults += [f"job {index} has no record" for index, job in enumerate(found) if job is None]
    for job in jobs:
        faults += [f"job {job.id}: {fault}" for fault in _faults(job, base / job.id)]
    if faults:
        raise DemoError("; ".join(faults) + f". Logs: {folder / 'airflow'}, {folder / 'airflow.log'}.")


def _faults(job: WorkflowJob, folder: Path) -> list[str]:
    faults = [f"{name} is missing" for name in FILES if not (folder / name).is_file()]
    if job.state is not WorkflowState.COMPLETED:
        faults.append(f"it is {job.state}: {job.error}")
    if not all(TRANSITIONS.allows(old, new) for old, new in pairwise(job.path)):
        faults.append(f"its history {' > '.join(job.path)} is no path of the table")
    return faults


def _serve(servers: Sequence[Server]) -> None:
    try:
        while True:
            for server in servers:
                server.ensure_running()
            time.sleep(1)
    except KeyboardInterrupt:
        return
