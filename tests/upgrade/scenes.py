"""What the old code is made to do, one scene for each fixture.

Every job is named by the words before its prompt's colon.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from upgrade.deaths import Deaths, Reaper

MODEL = "kling-2.5-turbo"
# So long do tasks run that are still running when the last process dies.
RUNNING = "[sandbox:slow=60]"
# Before anything was made, so that nobody takes the date of a run for a moment that has to be shifted.
FIRST_RUN = datetime(2026, 1, 1, 1, tzinfo=UTC)
BATCH = 'Frühling 2026/"A"'
CANCELLED_BY = "Ann: too expensive"
ENDED = {"COMPLETED", "FAILED", "CANCELLED"}


def request(job: str, words: str = "a red fox runs through fresh snow", **fields: Any) -> dict[str, Any]:
    """Ask for a video."""
    return {"prompt": f"{job}: {words}", "model": MODEL, **fields}


@dataclass
class Stage:
    """Where a scene is played.

    :param videos: the output folder.
    :param files: folder of files that the run reads.
    :param sandbox: its server.
    :param reaper: lets jobs die.
    """

    videos: Path
    files: Path
    sandbox: Any
    reaper: Reaper
    runs: list[dict[str, Any]] = field(default_factory=list)
    local: dict[str, Any] = field(default_factory=dict)

    def next_run_id(self, dag_id: str) -> str:
        """Return the id of a DAG's next run."""
        return f"manual__{self._next_date(dag_id).isoformat()}"

    def _next_date(self, dag_id: str) -> datetime:
        return FIRST_RUN + timedelta(days=sum(run["dag_id"] == dag_id for run in self.runs))

    def run(self, dag_id: str, conf: Mapping[str, Any], deaths: Deaths, *, again: bool = False) -> None:
        """Run a DAG, or its last run once more.

        :param deaths: which jobs die, and where.
        """
        from klingvideo_upgrade import DAGS

        self.reaper.deaths, self.reaper.dead = deaths, set()
        if again:
            self.runs.pop()
        date, run_id = self._next_date(dag_id), self.next_run_id(dag_id)
        self.runs.append({"dag_id": dag_id, "run_id": run_id, "conf": conf})
        DAGS[dag_id].test(logical_date=date, run_after=date, run_conf=dict(conf))

    def single(
        self, job: str, death: str, words: str = "a red fox", dag_id: str = "upgrade_single", **conf: Any
    ) -> None:
        """Run the DAG of one video."""
        self.run(dag_id, {"request": request(job, words), **conf}, {job: death})

    def cancel_beforehand(self, dag_id: str, key: str, map_index: int = -1) -> None:
        """Ask that a job of the next run be cancelled."""
        from airflow_provider_klingvideo.workflow.identity import job_id, safe_name

        from airflow_provider_klingvideo.workflow import JobStore

        run_id = self.next_run_id(dag_id)
        store = JobStore(self.videos / safe_name(dag_id) / safe_name(run_id))
        store.request_cancel(job_id(dag_id, run_id, key, map_index), CANCELLED_BY)

    def cancel(self, job: str) -> None:
        """Ask that a job be cancelled."""
        from airflow_provider_klingvideo.workflow import JobStore

        for path, record in self.records():
            if record["prompt"].startswith(f"{job}:"):
                JobStore(path.parent.parent).request_cancel(record["id"], CANCELLED_BY)

    def records(self) -> list[tuple[Path, dict[str, Any]]]:
        """Return all records and where they lie."""
        return [(path, json.loads(path.read_text())) for path in self.videos.rglob("job.json")]

    def fail_once(self, job: str, path: str, **action: Any) -> None:
        """Let a request of a job go wrong."""
        self.sandbox.add_rule({"match": {"path": path, "prompt_contains": f"{job}:"}, "action": action, "times": 1})

    def kill_when_all_stand(self, jobs: int, deaths: Deaths) -> None:
        """Kill this process once every job has ended or has come to the point where it dies."""
        self.reaper.share_a_process = True
        threading.Thread(target=self._watch, args=(jobs, set(deaths)), daemon=True).start()

    def _watch(self, jobs: int, dying: set[str]) -> None:
        looks = 0
        # More than one look: a job that had ended before may just be taken up again.
        while looks < 3:
            time.sleep(1)
            ended = [record for _, record in self.records() if record["state"] in ENDED]
            looks = looks + 1 if self.reaper.dead >= dying and len(ended) >= jobs - len(dying) else 0
        self.tell_end()
        os._exit(137)

    def tell_end(self) -> None:
        """Write down what the fixture says about itself."""
        self.reaper.tell("ended", at=time.time(), runs=self.runs, local=self.local)


AFTER_CREATE = "/text-to-video/*"
STATES: Deaths = {
    "created": "task:validated",
    "validated": "task:queued",
    "queued": "task:generating",
    "intent": "intent",
    "lost": "lost",
    "running": "task:generation",
    "waiting": "defer:generation",
    "succeeded": "task:post_processing",
    "rendering": "rendering",
    "stored": "task:completed",
    # A try has failed, its error is on record, and Airflow would try again.
    "noted": "task:failed",
}
FAILING = "[sandbox:fail=Image pixel is invalid]"


def mapped(stage: Stage) -> None:
    """Play a mapped group with a job in every state."""
    words = {"running": RUNNING, "waiting": RUNNING, "failed": FAILING}
    # Those that end come first, so that a test can run them alone.
    names = ["completed", "failed", "invalid", "cancelled", "refused", "unknown", "damaged", *STATES]
    requests = [request(name, words.get(name, "a red fox")) for name in names]
    requests[names.index("invalid")]["duration"] = 7
    stage.fail_once("refused", AFTER_CREATE, type="refuse", code=1102)
    stage.fail_once("damaged", "/media/*", type="truncate_media")
    for name in ("unknown", "noted"):
        stage.fail_once(name, AFTER_CREATE, type="drop_after")
        match = {"method": "GET", "path": "/tasks", "prompt_contains": f"{name}:"}
        stage.sandbox.add_rule({"match": match, "action": {"type": "refuse", "code": 5001}})
    stage.cancel_beforehand("upgrade_mapped", "videos.jobs", names.index("cancelled"))
    stage.run("upgrade_mapped", {"requests": requests}, STATES)


def slots(stage: Stage) -> None:
    """Play jobs that the connection's own limit of two holds back."""
    stage.single("ordered", "task:generation", RUNNING)
    stage.single("claimed", "task:generating")
    stage.single("waiting_slot", "defer:queued")
    stage.single("unwanted", "defer:queued")
    stage.cancel("unwanted")


def refusals(stage: Stage) -> None:
    """Play jobs that Kling has no slot for."""
    stage.single("holder", "task:generation", RUNNING)
    stage.single("no_slot", "defer:generating")
    stage.single("behind", "defer:queued")


def budget(stage: Stage) -> None:
    """Play jobs that share a budget, of which the last one finds it used up."""
    conf = {"budget_units": 5.0, "budget_key": "Bücher 11/2026", "dag_id": "upgrade_budget"}
    stage.single("spender", "", **conf)
    stage.single("ordered", "task:generation", RUNNING, **conf)
    stage.single("reserved", "task:generating", **conf)
    stage.single("short", "defer:queued", **conf)


def edited(stage: Stage) -> None:
    """Play jobs that were taken up again with another prompt after their first video."""
    for job, death in {"edited_intent": "intent", "edited_lost": "lost"}.items():
        stage.single(job, "")
        stage.run("upgrade_single", {"request": request(job, "a blue fox")}, {job: death}, again=True)


def regenerated(stage: Stage) -> None:
    """Play a job whose first task failed, and whose second one was ordered and not heard of."""
    stage.fail_once("regenerated", AFTER_CREATE, type="fail_task")
    stage.single("regenerated", "", dag_id="upgrade_again")
    asked = {"request": request("regenerated", "a red fox")}
    stage.run("upgrade_again", asked, {"regenerated": "lost"}, again=True)


def table(stage: Stage) -> None:
    """Play jobs with a transition table of their own."""
    stage.single("waiting", "defer:generation", RUNNING, dag_id="upgrade_table")
    stage.cancel_beforehand("upgrade_table", "video")
    stage.single("cancelled", "", dag_id="upgrade_table")


def late(stage: Stage) -> None:
    """Play a job whose task took longer than the job waited."""
    stage.single("late", "", "a red fox [sandbox:slow=8]", dag_id="upgrade_impatient")


def by_hand(stage: Stage) -> None:
    """Play operators without a group."""
    stage.single("queued", "task:generating", dag_id="upgrade_by_hand")
    stage.single("running", "defer:generation", RUNNING, dag_id="upgrade_by_hand")


def chain(stage: Stage) -> None:
    """Play jobs that take the result of another one, and lips that were looked for already."""
    stage.run("upgrade_chain", {"request": request("clip_1")}, {"lip_sync": "task:created", "film": "task:film"})
    stage.run("upgrade_chain", {"request": request("clip_2")}, {"lip_sync": "intent"})


def things(stage: Stage) -> None:
    """Play a picture, and a video that needs a picture and a character."""
    picture = {"kind": "image", "prompt": "picture: a red fox", "model": "kling-3.0"}
    stage.run("upgrade_things", {"request": picture}, {"video": "task:created"})
    pictures = {**picture, "prompt": "pictures: a red fox", "n": 2}
    stage.run("upgrade_single", {"request": pictures}, {"pictures": "task:post_processing"})


def speech(stage: Stage) -> None:
    """Play speeches whose tasks died."""
    stage.run("upgrade_speech", {}, {"answered": "spoken", "unanswered": "unheard"})


ROW_STATES: Deaths = {
    "created": "unvalidated",
    "validated": "after:VALIDATED",
    "queued": "after:QUEUED",
    "intent": "intent",
    "lost": "lost",
    "accepted": "accepted",
    "succeeded": "after:POST_PROCESSING",
    "rendering": "rendering",
}


def row(job: str, words: str = "a red fox", **fields: Any) -> dict[str, Any]:
    """Ask for a video in a row whose key is no name of a folder."""
    return {"key": f"Straße 7/Hinterhof «{job}», Aufnahme bei Regen", **request(job, words), **fields}


def compact(stage: Stage) -> None:
    """Play a task of many jobs that is killed with a job in every state; the task behind it has not begun."""
    rows = [row(name) for name in ROW_STATES]
    rows += [row("completed"), row("failed", FAILING), row("invalid", duration=7), row("refused"), row("cancelled")]
    # With the same letters up to where old names of folders end.
    rows += [row("completed_2", key=f"{rows[-1]['key']} und Wind")]
    rows += [row("unborn_1"), row("unborn_2")]
    stage.fail_once("refused", AFTER_CREATE, type="refuse", code=1102)
    _cancel_row_beforehand(stage, "upgrade_rows_compact", BATCH, rows[12]["key"])
    stage.kill_when_all_stand(14, ROW_STATES)
    conf = {"rows": rows, "batch": BATCH, "budget_units": 100.0, "budget_key": "Bücher 11/2026", "priority": 7}
    stage.run("upgrade_rows_compact", conf, {**ROW_STATES, "chunk_1": "task:videos"})


def deferred(stage: Stage) -> None:
    """Play a task of many jobs that has left its worker: two tasks run, two jobs wait for a slot."""
    stage.sandbox.settings(generation_seconds=60)
    rows = [row(f"either_{number}") for number in range(1, 5)]
    stage.run("upgrade_rows_deferred", {"rows": rows}, {"chunk_0": "defer:videos"})


def rows_mapped(stage: Stage) -> None:
    """Play a mapped group of a named batch."""
    deaths = {"queued": "task:generating", "waiting": "defer:generation", "lost": "lost"}
    rows = [row("queued"), row("waiting", RUNNING), row("lost"), row("completed")]
    stage.run("upgrade_rows_mapped", {"rows": rows, "batch": BATCH}, deaths)


def odd_names(stage: Stage) -> None:
    """Play DAGs whose ids are no names of folders; two of them lie in the same one."""
    from klingvideo_upgrade import ODD_NAMES

    for dag_id, job in zip(ODD_NAMES, ("hidden", "long_one", "long_two"), strict=True):
        stage.single(job, "lost", dag_id=dag_id)


def local(stage: Stage) -> None:
    """Play a batch without a scheduler: made once, then killed with a longer and edited file."""
    from airflow_provider_klingvideo.cli import main

    path = stage.files / "shots.jsonl"
    stage.files.mkdir()
    stage.local = {"file": path.name, "batch": BATCH}
    command = ["generate", str(path), "--output-path", str(stage.videos), "--batch", BATCH]
    command += ["--render-plan", str(stage.files / "plan.json")]
    (stage.files / "plan.json").write_text('["poster"]')
    rows = [row("completed"), row("failed", FAILING), row("invalid", duration=7), row("edited")]
    path.write_text("".join(f"{json.dumps(one)}\n" for one in rows))
    main(command)
    rows[3] = row("edited", "a blue fox")
    deaths = {**ROW_STATES, "edited": "accepted"}
    path.write_text("".join(f"{json.dumps(one)}\n" for one in [*rows, *map(row, ROW_STATES)]))
    stage.reaper.deaths = deaths
    stage.kill_when_all_stand(len(rows) + len(ROW_STATES), deaths)
    main(command)


def _cancel_row_beforehand(stage: Stage, dag_id: str, batch: str, key: str) -> None:
    from airflow_provider_klingvideo.workflow.identity import safe_name
    from airflow_provider_klingvideo.workflow.row_book import RowBook

    from airflow_provider_klingvideo.workflow import JobStore

    folder = stage.videos / safe_name(dag_id) / safe_name(batch)
    (found,) = RowBook(folder, "videos").write({key: {}})
    JobStore(folder).request_cancel(found.job_id, CANCELLED_BY)


@dataclass(frozen=True)
class Scene:
    """One fixture.

    :param play: what happens.
    :param sandbox: settings of the sandbox.
    :param connection: extra fields of the connection.
    """

    play: Callable[[Stage], None]
    sandbox: Mapping[str, Any] = field(default_factory=dict)
    connection: Mapping[str, Any] = field(default_factory=dict)


ROOM = {"slots": 50}
SCENES: Mapping[str, Scene] = {
    "mapped": Scene(mapped, ROOM),
    "slots": Scene(slots, ROOM, {"concurrency_limit": 2}),
    "refusals": Scene(refusals, {"slots": 1}),
    "budget": Scene(budget, ROOM),
    "edited": Scene(edited, ROOM),
    "regenerated": Scene(regenerated, ROOM),
    "table": Scene(table, ROOM),
    "late": Scene(late, ROOM),
    "by_hand": Scene(by_hand, ROOM),
    "chain": Scene(chain, ROOM),
    # So large that pictures can be inputs.
    "things": Scene(things, {**ROOM, "max_render_height": 300}),
    "speech": Scene(speech, ROOM),
    "compact": Scene(compact, ROOM),
    "deferred": Scene(deferred, ROOM, {"concurrency_limit": 2}),
    "rows_mapped": Scene(rows_mapped, ROOM),
    "odd_names": Scene(odd_names, ROOM),
    "local": Scene(local, ROOM),
}
