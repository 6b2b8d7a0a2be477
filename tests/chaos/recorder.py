"""Reads a run's evidence where it lies: Kling's books, Airflow's database, logs, job records, files.

Some of it does not last: Kling's list of requests, rows of triggers, earlier states of a record. A
:class:`Recorder` looks at these again and again while the run goes on.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from decimal import Decimal
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

import httpx
import imageio_ffmpeg
from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from airflow_provider_klingvideo.storage.names import safe_name

from .invariants import TERMINAL, Attempt, History, Question, Revision, StoredFile, VendorTask, Video
from .parts import AirflowParts, Sandbox
from .plan import Plan
from .points import job_number

SECRETS = {"the API key": "sandbox-key"}
FINISHED = {"success", "failed", "skipped", "upstream_failed", "removed"}
DURATION_SLACK = 0.25
# What the tasks themselves ask beside the trigger: before an order, when they begin, for a fresh address.
QUESTIONS_OF_TASKS = 12
SHORTEST_PAUSE_SHARE = 0.9
MICRO = 1_000_000


def counts_as(states: Mapping[str, str | None]) -> str:
    """The end that Airflow's tasks of one video show.

    :param states: of ``completed``, ``failed``, ``cancelled`` and ``verdict``.
    """
    for end, wanted in SHOWS.items():
        if wanted.items() <= states.items():
            return end
    return ", ".join(f"{name} {state}" for name, state in sorted(states.items()) if name in SHOWS["COMPLETED"])


SHOWS: Mapping[str, Mapping[str, str]] = {
    "COMPLETED": {"completed": "success", "failed": "skipped", "verdict": "success"},
    "FAILED": {"failed": "success", "verdict": "failed"},
    "CANCELLED": {"cancelled": "success", "failed": "skipped", "verdict": "success"},
}


class Recorder:
    """The evidence of one DAG run.

    :param poll_seconds: shortest pause between two questions about a waiting video, as configured.
    """

    def __init__(
        self,
        parts: AirflowParts,
        sandbox: Sandbox,
        database_url: str,
        *,
        dag_id: str,
        run_id: str,
        plan: Plan,
        poll_seconds: float = 1,
    ) -> None:
        self._parts = parts
        self._sandbox = sandbox
        # A connection that broke with the database is not to be used again.
        self._engine = create_engine(database_url, pool_pre_ping=True)
        self.dag_id = dag_id
        self.run_id = run_id
        self.plan = plan
        self._poll_seconds = poll_seconds
        self.folder = parts.airflow.videos / safe_name(dag_id) / safe_name(run_id)
        self._part_logs = {path: path.stat().st_size for path in parts.folder.glob("*.log")}
        self._requests: list[dict[str, Any]] = []
        self._revisions: dict[str, list[Revision]] = defaultdict(list)
        self._passing: dict[str, str] = {}
        self._max_in_flight = 0
        self._slots = 0
        self.missed_requests = False

    # While the run goes on

    def look(self) -> None:
        """Note what does not last; what is down now is looked at the next time."""
        with suppress(httpx.HTTPError):
            self._note_requests()
            ledger = self._sandbox.ledger()
            self._max_in_flight = max(self._max_in_flight, ledger["max_in_flight_seen"])
            self._slots = max(self._slots, ledger["slots"])
        with suppress(SQLAlchemyError):
            self._note_rows()
        self._note_records()

    def run_state(self) -> str:
        """The state of the run; empty while the database cannot be asked."""
        with suppress(SQLAlchemyError):
            rows = self._rows("SELECT state FROM dag_run WHERE dag_id = :dag_id AND run_id = :run_id")
            return str(next(iter(rows))["state"])
        return ""

    def progress(self) -> float:
        """The share of the run's tasks, or of its videos, that have ended, 0 to 1."""
        ended = sum(seen[-1].path[-1] in TERMINAL for seen in self._revisions.values()) / len(self.plan.videos)
        with suppress(SQLAlchemyError):
            states = [row["state"] for row in self._instances()]
            # Before the mapped tasks exist there is no share.
            return max(ended, sum(state in FINISHED for state in states) / max(len(states), len(self.plan.videos)))
        return ended

    def instances(self) -> int:
        """How many task instances the run has."""
        return len(self._instances())

    def records(self) -> Iterator[dict[str, Any]]:
        """The job records."""
        for path in sorted(self.folder.glob("*/job.json")):
            yield json.loads(path.read_text())

    def _note_requests(self) -> None:
        last = self._requests[-1]["at"] if self._requests else -1
        known = [one for one in reversed(self._requests[-200:]) if one["at"] == last]
        recent = self._sandbox.requests()
        new = [one for one in recent if one["at"] >= last]
        for one in known:
            if one in new:
                new.remove(one)
        self.missed_requests |= bool(self._requests) and len(new) == len(recent) == 200
        self._requests += reversed(new)

    def _note_rows(self) -> None:
        for row in self._rows("SELECT id, classpath || ' ' || kwargs AS text FROM trigger"):
            self._passing[f"trigger row {row['id']}"] = row["text"]
        waiting = self._rows(
            "SELECT id::text AS id, next_kwargs::text AS text FROM task_instance "
            "WHERE next_kwargs IS NOT NULL AND dag_id = :dag_id AND run_id = :run_id"
        )
        for row in waiting:
            self._passing[f"next_kwargs of {row['id']}"] = row["text"]

    def _note_records(self) -> None:
        for record in self.records():
            revision = _revision(record)
            seen = self._revisions[record["id"]]
            if not seen or seen[-1] != revision:
                seen.append(revision)

    # When it has ended

    def history(self, videos: Iterable[Video], *, regenerates: bool) -> History:
        """Put the evidence together.

        :param videos: what is on record and what Airflow shows, see :func:`recorded` and :func:`remembered`.
        """
        self.look()
        ledger = self._sandbox.ledger()
        tasks = [_vendor_task(row) for row in ledger["tasks"] if job_number(row["prompt"])]
        price = max((Decimal(row["quoted_units"]) for row in ledger["tasks"] if job_number(row["prompt"])), default=0)
        return History(
            videos=list(videos),
            tasks=tasks,
            slots=self._slots,
            max_in_flight=self._max_in_flight,
            budget=Decimal(price * len(self.plan.videos)),
            regenerates=regenerates,
            run_state=self.run_state(),
            unfinished=[_name(row) for row in self._instances() if row["state"] not in FINISHED],
            attempts=list(self._attempts()),
            questions=list(self._questions()),
            questions_per_minute=round(60 / (self._poll_seconds * SHORTEST_PAUSE_SHARE)) + QUESTIONS_OF_TASKS,
            texts=dict(self._texts()),
            secrets=SECRETS,
        )

    def recorded(self) -> Iterator[Video]:
        """The videos of our DAG: a record each, and the tasks of its map index."""
        states: dict[int, dict[str, str | None]] = defaultdict(dict)
        for row in self._instances():
            states[row["map_index"]][row["task_id"].rpartition(".")[2]] = row["state"]
        yield from self._on_record(lambda index: counts_as(states[index]))

    def listed(self) -> Iterator[Video]:
        """The videos of our compact DAG: a record each, and a row of the manifest."""
        (manifest,) = self.folder.glob("*.manifest.jsonl")
        shown = [json.loads(line)["state"] for line in manifest.read_text().splitlines()]
        yield from self._on_record(shown.__getitem__)

    def _on_record(self, shown_at: Callable[[int], str]) -> Iterator[Video]:
        records = {job_number(record["prompt"]): record for record in self.records()}
        for index, planned in enumerate(self.plan.videos):
            record = records.get(planned.number)
            shown = shown_at(index)
            if record is None:
                yield Video(planned.number, "", shown, expected=planned.end)
                continue
            billed = [Decimal(call["bill"]["units"]) for call in record["calls"] if call["bill"] is not None]
            yield Video(
                planned.number,
                record["state"],
                shown,
                money=(record["failure"] or {}).get("money", ""),
                billed=sum(billed, Decimal(0)) if billed else None,
                files=list(_artifacts(self.folder / record["id"], record)) if record["state"] == "COMPLETED" else [],
                revisions=self._revisions_of(record),
                handles=_handles(record),
                expected=planned.end,
            )

    def remembered(self) -> Iterator[Video]:
        """The videos of the baseline: what its task returned, and the file that it wrote."""
        returned = {
            row["map_index"]: json.loads(row["value"])
            for row in self._rows(
                "SELECT map_index, value::text AS value FROM xcom "
                "WHERE key = 'return_value' AND task_id = 'video' AND dag_id = :dag_id AND run_id = :run_id"
            )
        }
        states = {row["map_index"]: row["state"] for row in self._instances() if row["task_id"] == "video"}
        for index, planned in enumerate(self.plan.videos):
            state = "COMPLETED" if states.get(index) == "success" else "FAILED"
            value = returned.get(index) or {}
            path = Path(value["path"]) if value else None
            yield Video(
                planned.number,
                state,
                state,
                files=[StoredFile(path.name, list(film_faults(path, None)))] if path and state == "COMPLETED" else [],
                handles=frozenset([value["task_id"]] if value else []),
                expected=planned.end,
            )

    def _revisions_of(self, record: Mapping[str, Any]) -> list[Revision]:
        archived = [
            _revision(json.loads(path.read_text())) for path in (self.folder / record["id"]).glob("job.r*.json")
        ]
        # An archived record comes behind what was seen of it, the present one is the last that was seen.
        return [one for one, _ in groupby(sorted([*self._revisions[record["id"]], *archived], key=_number))]

    def _instances(self) -> list[Mapping[str, Any]]:
        return self._rows(
            "SELECT task_id, map_index, state FROM task_instance WHERE dag_id = :dag_id AND run_id = :run_id"
        )

    def _rows(self, query: str) -> list[Mapping[str, Any]]:
        with self._engine.connect() as connection:
            return list(connection.execute(text(query), {"dag_id": self.dag_id, "run_id": self.run_id}).mappings())

    def _questions(self) -> Iterator[Question]:
        for request in self._requests:
            found = re.search(r"\?(?:external_)?task_ids=(.+)", request["path"])
            for task_id in found[1].replace("%2C", ",").split(",") if found else []:
                yield Question(request["at"], task_id)

    def _run_logs(self) -> Iterator[Path]:
        logs = self._parts.folder / "airflow" / "logs"
        return logs.glob(f"dag_id={self.dag_id}/run_id={self.run_id}/**/*.log*")

    def _attempts(self) -> Iterator[Attempt]:
        for path in self._run_logs():
            for line in path.read_text(errors="replace").splitlines():
                if '"error_detail"' in line:
                    entry = json.loads(line)
                    details = [f"{one['exc_type']}: {one['exc_value']}" for one in entry["error_detail"]]
                    yield Attempt("/".join(path.parts[-3:]), "; ".join(details))

    def _texts(self) -> Iterator[tuple[str, str]]:
        for path in self._run_logs():
            yield str(path), path.read_text(errors="replace")
        for path in self._parts.folder.glob("*.log"):
            if path.name != "sandbox.log":
                with path.open("rb") as log:
                    log.seek(self._part_logs.get(path, 0))
                    yield str(path), log.read().decode(errors="replace")
        for path in self.folder.rglob("*.json"):
            yield str(path), path.read_text()
        yield from self._passing.items()
        for table in self._rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"):
            name = table["tablename"]
            rows = self._rows(f'SELECT t::text AS text FROM "{name}" t')
            yield f"table {name}", "\n".join(row["text"] for row in rows)


def _number(revision: Revision) -> int:
    return revision.number


def _revision(record: Mapping[str, Any]) -> Revision:
    path = ("CREATED", *(entry["to"] for entry in record["history"]))
    return Revision(record["revision"], path, _handles(record))


def _handles(record: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(one["task_id"] for one in record["calls"] if one["task_id"])


def _vendor_task(row: Mapping[str, Any]) -> VendorTask:
    return VendorTask(
        row["id"], str(job_number(row["prompt"])), row["status"], Decimal(row["units"]), has_result=bool(row["outputs"])
    )


def _name(row: Mapping[str, Any]) -> str:
    return f"{row['task_id']}[{row['map_index']}] {row['state']}"


def _artifacts(folder: Path, record: Mapping[str, Any]) -> Iterator[StoredFile]:
    artifacts = record["files"]["artifacts"]
    for name in {"source.mp4", "master.mp4"} - artifacts.keys():
        yield StoredFile(name, ["is not on record"])
    for name, artifact in artifacts.items():
        yield StoredFile(name, list(artifact_faults(folder / name, artifact)))


def artifact_faults(path: Path, artifact: Mapping[str, Any]) -> Iterator[str]:
    """Compare a stored file with its record, and decode it if it is a film."""
    if not path.exists():
        yield "is missing"
        return
    content = path.read_bytes()
    if len(content) != artifact["size"]:
        yield f"{len(content)} bytes, {artifact['size']} on record"
    if hashlib.sha256(content).hexdigest() != artifact["sha256"]:
        yield "another SHA-256 than on record"
    if artifact["media_type"].startswith("video/"):
        yield from film_faults(path, artifact["duration"])


def film_faults(path: Path, seconds: float | None) -> Iterator[str]:
    """Decode a film from beginning to end.

    :param seconds: how long it is to be.
    """
    if not path.exists():
        yield "is missing"
        return
    command = [ffmpeg(), "-v", "error", "-xerror", "-progress", "pipe:1", "-i", str(path), "-f", "null", "-"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode or done.stderr:
        yield f"does not decode: {done.stderr.strip()[-200:]}"
        return
    times = re.findall(r"out_time_us=(\d+)", done.stdout)
    length = int(times[-1]) / MICRO if times else 0.0
    if seconds is not None and abs(length - seconds) > DURATION_SLACK:
        yield f"{length:.2f} s long, {seconds} on record"


@cache
def ffmpeg() -> str:
    """The ffmpeg on PATH, else that of the wheel."""
    return shutil.which("ffmpeg") or imageio_ffmpeg.get_ffmpeg_exe()
