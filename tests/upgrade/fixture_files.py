"""Fixtures as files: what an old version left behind, put where the present one finds it.

A fixture stands still, the clocks of the tests do not. So all its moments are moved, here and nowhere else, such that
they lie as long ago as for somebody who comes back after a while: by default a second after Kling has ended the last
task of the fixture, and ten seconds after the last process had died at least. A moment is what looks like one (ISO
8601 with a time zone, seconds or milliseconds of the epoch, in a file or in its name) and lies after the making of
the fixture began; the dates in the ids of DAG runs, which lie before, stay.
"""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from airflow_provider_klingvideo.sandbox import SandboxServer, SandboxSettings
from airflow_provider_klingvideo.workflow import JobStore, WorkflowJob

FOLDER = Path(__file__).parent / "fixtures"
NAMES = sorted(path.name for path in FOLDER.iterdir())
TEXTS = {".json", ".jsonl"}
LEAST_AGE = 10.0
# No moment of a fixture lies further ahead than the deadline of a wait.
FURTHEST = timedelta(days=2).total_seconds()

_ISO = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
_EPOCH = re.compile(r"(?<![\w.-])\d{10}\.\d+(?![\w.])")
_MILLIS = re.compile(r"(?<![\w.-])\d{13}(?![\w.])")


@dataclass
class Shift:
    """Moves the moments in a text.

    :param seconds: by how much.
    :param since: what lies before stays, seconds of the epoch.
    """

    seconds: float
    since: float

    def __call__(self, text: str) -> str:
        """Return the text, moved."""
        text = _ISO.sub(partial(self._moved, _iso_seconds, _iso), text)
        text = _EPOCH.sub(partial(self._moved, float, "{:.3f}".format), text)
        return _MILLIS.sub(partial(self._moved, _milli_seconds, _millis), text)

    def _moved(self, read: Callable[[str], float], write: Callable[[float], str], found: re.Match[str]) -> str:
        moment = read(found[0])
        is_moment = self.since <= moment <= self.since + FURTHEST
        return write(moment + self.seconds) if is_moment else found[0]


def _iso_seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat()


def _milli_seconds(text: str) -> float:
    return int(text) / 1000


def _millis(moment: float) -> str:
    return str(round(moment * 1000))


@dataclass(frozen=True)
class Instance:
    """Which task instance, in which DAG run."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int

    @classmethod
    def of(cls, row: dict[str, Any]) -> Instance:
        """Take it from a line of a fixture."""
        return cls(row["dag_id"], row["run_id"], row["task_id"], row["map_index"])


@dataclass(frozen=True)
class Fixture:
    """What one scene left behind.

    :param name: of its folder.
    """

    name: str

    @property
    def path(self) -> Path:
        """Its folder."""
        return FOLDER / self.name

    @cached_property
    def about(self) -> dict[str, Any]:
        """How it was made."""
        return dict(json.loads((self.path / "about.json").read_text()))

    def lines(self, file: str) -> list[dict[str, Any]]:
        """Read a file as it was kept."""
        return [json.loads(line) for line in (self.path / file).read_text().splitlines()]

    def of_airflow(self, what: str) -> list[dict[str, Any]]:
        """Return the lines of one kind that Airflow kept."""
        return [line for line in self.lines("airflow.jsonl") if line["what"] == what]

    def moment(self, left: float | None) -> float:
        """Return the moment, on the clock of the fixture, that becomes now.

        :param left: seconds until Kling ends the last task; None for a while after.
        """
        last = max((task["finish_at"] / 1000 for task in self.lines("vendor.jsonl")), default=0.0)
        if left is not None:
            return last - left
        return max(self.about["written_at"] + LEAST_AGE, last + 1)

    @contextmanager
    def loaded(self, folder: Path, *, left: float | None = None) -> Iterator[Loaded]:
        """Put the files into a folder, and run a sandbox that knows the tasks.

        :param left: see :meth:`moment`.
        """
        state = folder / "vendor.db"
        small = {"queue_seconds": 0, "generation_seconds": 0, "max_render_height": 64}
        server = SandboxServer(SandboxSettings(**{**small, **self.about["sandbox"]}, state=state))
        server.listen()
        shift = Shift(time.time() - self.moment(left), self.about["began_at"])
        loaded = Loaded(self, folder, server, shift)
        loaded.put_files()
        _write_journal(state, loaded.text("vendor.jsonl").splitlines())
        with server:
            loaded.known = loaded.paid()
            yield loaded


def _write_journal(path: Path, documents: list[str]) -> None:
    """Write what the sandbox of the old version kept its tasks in."""
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE tasks (id TEXT PRIMARY KEY, document TEXT NOT NULL)")
        database.executemany("INSERT INTO tasks VALUES (?, ?)", [(json.loads(one)["id"], one) for one in documents])
    database.close()


@dataclass
class Loaded:
    """A fixture in use.

    :param fixture: where it comes from.
    :param folder: what it was put into.
    :param sandbox: its Kling.
    :param shift: moves its moments.
    :param known: what had been paid, by the id of the task.
    """

    fixture: Fixture
    folder: Path
    sandbox: SandboxServer
    shift: Shift
    known: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def videos(self) -> Path:
        """The output folder."""
        return self.folder / "videos"

    @property
    def files(self) -> Path:
        """The folder of what the run read."""
        return self.folder / "files"

    def put_files(self) -> None:
        """Copy the files, with everything in them that is different today."""
        for part in ("videos", "files"):
            for path in (self.fixture.path / part).rglob("*"):
                target = self.folder / path.relative_to(self.fixture.path)
                if path.is_file():
                    target = target.with_name(self._moved_name(target.name))
                    target.parent.mkdir(parents=True, exist_ok=True)
                    self._put(path, target)

    def _moved_name(self, name: str) -> str:
        """A notice about slots tells its moment in its name."""
        before, at, last = name.rpartition("@")
        return f"{before}{at}{self.shift(last)}"

    def _put(self, path: Path, target: Path) -> None:
        if path.suffix in TEXTS:
            target.write_text(self.filled_in(path.read_text()))
        else:
            shutil.copyfile(path, target)

    def text(self, file: str) -> str:
        """Read a file of the fixture, with everything in it that is different today."""
        return self.filled_in((self.fixture.path / file).read_text())

    def filled_in(self, text: str) -> str:
        """Return a text with everything in it that is different today."""
        return self.shift(text).replace("@ROOT@", str(self.folder)).replace("@URL@", self.sandbox.url)

    def of_airflow(self, what: str) -> list[dict[str, Any]]:
        """Return the lines of one kind that Airflow kept, as if they had been written lately."""
        return [line for line in map(json.loads, self.text("airflow.jsonl").splitlines()) if line["what"] == what]

    def paid(self) -> dict[str, dict[str, Any]]:
        """Return every task and every call that costs something, by id, as the sandbox's ledger has it."""
        return {row["id"]: row for row in self.sandbox.ledger()["tasks"]}

    def paid_since(self) -> list[dict[str, Any]]:
        """Return what was paid in addition to what had been."""
        return [row for task_id, row in self.paid().items() if task_id not in self.known]

    def spent(self) -> float:
        """Return the units that were billed."""
        return sum(float(pack["spent_units"]) for pack in self.sandbox.ledger()["packs"].values())

    def records(self) -> dict[str, dict[str, Any]]:
        """Return every record as the old version wrote it, by the id of its job."""
        found = [json.loads(path.read_text()) for path in self.videos.rglob("job.json")]
        return {record["id"]: record for record in found}

    def jobs(self) -> dict[str, WorkflowJob]:
        """Return every job on record, by its id."""
        found = [JobStore(path.parent.parent).load(path.parent.name) for path in self.videos.rglob("job.json")]
        return {job.id: job for job in found if job}
