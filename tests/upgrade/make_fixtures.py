"""Make the fixtures: what commit 013eea0 leaves behind when its processes die.

They were made once, and prove that later versions take up what that version wrote. They are never made again with other
code; the maker is kept so that one can see how each came about. By hand, from the folder ``tests``::

    git worktree add /somewhere/old 013eea0
    PYTHONPATH=/somewhere/old python -m upgrade.make_fixtures [SCENE ...]

For each scene of :mod:`upgrade.scenes` a process of its own plays DAGs by ``dag.test()``, or ``klingvideo generate``,
with the old code on an Airflow database and an output folder of its own, against the old sandbox; jobs die where
:mod:`upgrade.deaths` says. What is left is kept in ``fixtures/SCENE`` as it was written, but for the output folder and
the address of the sandbox, which become ``@ROOT@`` and ``@URL@``, and manifests in Parquet, which are left out:

=================  ===================================================================================================
``videos/``        the output folder: records, rows, notices, claims, timings, small videos
``files/``         what the run read
``airflow.jsonl``  what Airflow's database keeps: a line for each run, task instance, XCom, entry of the task state
                   store, and serialised trigger, and for each class of this provider that a serialised DAG names;
                   tasks that died have ``"state": "died"``
``vendor.jsonl``   the sandbox's tasks, a line each, as its journal keeps them
``about.json``     settings of sandbox and connection, the moments between which it was made
=================  ===================================================================================================
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import airflow_provider_klingvideo

HERE = Path(__file__).parent
FIXTURES = HERE / "fixtures"
COMMIT = "013eea0"
NOT_KEPT = {".parquet"}
TEXTS = {".json", ".jsonl"}
QUERIES = {
    "task": "SELECT dag_id, run_id, task_id, map_index, state FROM task_instance",
    "xcom": "SELECT dag_id, run_id, task_id, map_index, key, value FROM xcom",
    "state_store": "SELECT dag_id, run_id, task_id, map_index, key, value FROM task_state_store",
}
ORDER = " ORDER BY dag_id, run_id, map_index, task_id"


def main(names: list[str]) -> None:
    """Play scenes and keep what they leave."""
    from upgrade.scenes import SCENES

    _require_old_code()
    for name in names or list(SCENES):
        with tempfile.TemporaryDirectory() as folder:
            _play_apart(name, Path(folder))
            _keep(name, Path(folder))


def _require_old_code() -> None:
    package = Path(airflow_provider_klingvideo.__file__).parent.parent
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=package, check=True, capture_output=True, text=True)
    changes = subprocess.run(
        ["git", "status", "--porcelain", "--", "airflow_provider_klingvideo"],
        cwd=package,
        check=True,
        capture_output=True,
        text=True,
    )
    if not head.stdout.startswith(COMMIT) or changes.stdout:
        raise SystemExit(
            f"The package in {package} is not the one of commit {COMMIT}: see the docstring of this module."
        )


def _play_apart(name: str, folder: Path) -> None:
    """Play a scene in a process of its own, which may kill itself."""
    environment = {**os.environ, "AIRFLOW_HOME": str(folder / "airflow")}
    environment["AIRFLOW__CORE__DAGS_FOLDER"] = str(HERE / "dag_files")
    environment["AIRFLOW__KLINGVIDEO__OUTPUT_PATH"] = f"file://{folder}/videos"
    command = [sys.executable, "-m", "upgrade.make_fixtures", "--play", name, str(folder)]
    with (folder / "log").open("w") as log:
        subprocess.run(command, env=environment, stdout=log, stderr=log, timeout=600, check=False)
    if '"ended"' not in (folder / "told.jsonl").read_text():
        raise SystemExit(f"{name} did not come to its end:\n{(folder / 'log').read_text()[-5000:]}")


def play(name: str, folder: Path) -> None:
    """Play a scene in this very process."""
    import airflow_home

    from airflow_provider_klingvideo.sandbox import SandboxServer, SandboxSettings
    from upgrade.deaths import Reaper, install
    from upgrade.scenes import SCENES, Stage

    scene = SCENES[name]
    dags = os.environ["AIRFLOW__CORE__DAGS_FOLDER"]
    airflow_home.set_quick_settings()
    os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = dags
    airflow_home.migrate()
    sys.path.insert(0, dags)
    small = {"queue_seconds": 0, "generation_seconds": 0.2, "max_render_height": 64}
    settings = SandboxSettings(**{**small, **scene.sandbox}, state=folder / "vendor.db")
    with SandboxServer(settings) as sandbox:
        os.environ["AIRFLOW_CONN_KLINGAI_DEFAULT"] = airflow_home.connection(sandbox.url, extra=dict(scene.connection))
        reaper = Reaper(folder / "told.jsonl")
        reaper.tell("began", at=time.time(), url=sandbox.url)
        install(reaper)
        stage = Stage(folder / "videos", folder / "files", sandbox, reaper)
        scene.play(stage)
        stage.tell_end()


def _keep(name: str, folder: Path) -> None:
    from upgrade.scenes import SCENES

    told = [json.loads(line) for line in (folder / "told.jsonl").read_text().splitlines()]
    began, ended = (next(one for one in told if one["what"] == what) for what in ("began", "ended"))
    places = {f"file://{folder}": "file://@ROOT@", str(folder): "@ROOT@", began["url"]: "@URL@"}
    target = FIXTURES / name
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    about = {
        "commit": COMMIT,
        "began_at": round(began["at"], 3),
        "written_at": round(ended["at"], 3),
        "sandbox": dict(SCENES[name].sandbox),
        "connection": dict(SCENES[name].connection),
        "local": ended["local"],
    }
    (target / "about.json").write_text(json.dumps(about, indent=1) + "\n")
    _write_lines(target / "airflow.jsonl", _of_airflow(folder, told, ended["runs"]), places)
    _write_lines(target / "vendor.jsonl", _of_vendor(folder), places)
    for part in ("videos", "files"):
        for path in sorted((folder / part).rglob("*")):
            if path.is_file() and path.suffix not in NOT_KEPT:
                _copy(path, target / path.relative_to(folder), places)


def _of_airflow(folder: Path, told: list[dict[str, Any]], runs: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    yield from ({"what": "run", **run} for run in runs)
    died = {_instance(one) for one in told if one["what"] == "died" and "task_id" in one}
    with sqlite3.connect(folder / "airflow" / "airflow.db") as database:
        database.row_factory = sqlite3.Row
        for what, query in QUERIES.items():
            for found in map(dict, database.execute(query + ORDER)):
                if isinstance(found.get("value"), str):
                    found["value"] = json.loads(found["value"])
                if what == "task":
                    # What runs dies with its process.
                    found["state"] = (
                        "died" if _instance(found) in died or found["state"] == "running" else found["state"]
                    )
                yield {"what": what, **found}
        yield from _classes(data for (data,) in database.execute("SELECT data FROM serialized_dag").fetchall())
    yield from (one for one in told if one["what"] == "deferred")


def _classes(dags: Iterable[str]) -> list[dict[str, Any]]:
    tasks = [task["__var"] for dag in dags for task in json.loads(dag)["dag"]["tasks"]]
    found = {
        f"{task['_task_module']}.{task['task_type']}": task.get("_operator_extra_links", {})
        for task in tasks
        if task["_task_module"].startswith("airflow_provider_klingvideo")
    }
    return [{"what": "class", "classpath": path, "links": links} for path, links in sorted(found.items())]


def _instance(one: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(one[name] for name in ("dag_id", "run_id", "task_id", "map_index"))


def _of_vendor(folder: Path) -> Iterator[dict[str, Any]]:
    with sqlite3.connect(folder / "vendor.db") as database:
        for (document,) in database.execute("SELECT document FROM tasks ORDER BY id"):
            yield json.loads(document)


def _write_lines(path: Path, rows: Iterator[dict[str, Any]], places: dict[str, str]) -> None:
    text = "".join(f"{json.dumps(row, ensure_ascii=False, separators=(',', ':'))}\n" for row in rows)
    path.write_text(_placed(text, places))


def _copy(path: Path, target: Path, places: dict[str, str]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix in TEXTS:
        target.write_text(_placed(path.read_text(), places))
    else:
        shutil.copyfile(path, target)


def _placed(text: str, places: dict[str, str]) -> str:
    """Put placeholders in the place of what is different on every machine."""
    for place, placeholder in places.items():
        text = text.replace(place, placeholder)
    left = [place for place in (tempfile.gettempdir(), "127.0.0.1", str(Path.home())) if place in text]
    if left:
        raise SystemExit(f"{', '.join(left)} is still in {text[:200]}")
    return text


if __name__ == "__main__":
    if sys.argv[1:2] == ["--play"]:
        play(sys.argv[2], Path(sys.argv[3]))
    else:
        main(sys.argv[1:])
