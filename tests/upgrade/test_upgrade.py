"""What commit 013eea0 left behind when its processes died is brought to its end, and nothing is paid twice.

The fixtures are never made again (see :mod:`upgrade.make_fixtures`): they are what users have on their disks. What
their jobs come to is told here, by fixture: how each ends, and how many tasks are ordered for it.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from upgrade.fixture_files import FOLDER, NAMES, Fixture, Instance, Shift
from upgrade.replay import PACKAGE, Replay, imported

pytestmark = pytest.mark.forms
COMPLETED, FAILED, CANCELLED = "COMPLETED", "FAILED", "CANCELLED"
PAID, ORDERED = (COMPLETED, 0), (COMPLETED, 1)
FAILED_FOR_GOOD, CANCELLED_FOR_GOOD = (FAILED, 0), (CANCELLED, 0)


def ends(end: tuple[str, int], *jobs: str) -> dict[str, tuple[str, int]]:
    """Say that jobs end alike."""
    return dict.fromkeys(jobs, end)


NOT_ORDERED = ("created", "validated", "queued", "intent")
# By fixture and job: how it ends, and how many tasks are ordered for it, when every run goes on where it was.
ENDS: Mapping[str, Mapping[str, tuple[str, int]]] = {
    "mapped": {
        **ends(ORDERED, *NOT_ORDERED),
        **ends(PAID, "lost", "running", "waiting", "succeeded", "rendering", "stored", "noted", "completed"),
        **ends(FAILED_FOR_GOOD, "failed", "invalid", "refused", "unknown", "damaged"),
        **ends(CANCELLED_FOR_GOOD, "cancelled"),
    },
    "slots": {**ends(PAID, "ordered"), **ends(ORDERED, "claimed", "waiting_slot"), "unwanted": CANCELLED_FOR_GOOD},
    "refusals": {**ends(PAID, "holder"), **ends(ORDERED, "no_slot", "behind")},
    # What the others have claimed leaves nothing for the last one.
    "budget": {**ends(PAID, "spender", "ordered"), "reserved": ORDERED, "short": CANCELLED_FOR_GOOD},
    "edited": {"edited_intent": ORDERED, "edited_lost": PAID},
    "regenerated": {"regenerated": PAID},
    "table": {"waiting": PAID, "cancelled": FAILED_FOR_GOOD},
    "late": {"late": FAILED_FOR_GOOD},
    "by_hand": {"queued": ORDERED, "running": PAID},
    "chain": {**ends(PAID, "clip_1", "clip_2"), "lip_sync of clip_1": ORDERED, "lip_sync of clip_2": ORDERED},
    "things": {**ends(PAID, "picture", "custom_element", "pictures"), "video": ORDERED},
    "compact": {
        **ends(ORDERED, *NOT_ORDERED, "unborn_1", "unborn_2"),
        **ends(PAID, "lost", "accepted", "succeeded", "rendering", "completed", "completed_2"),
        **ends(FAILED_FOR_GOOD, "failed", "invalid", "refused"),
        **ends(CANCELLED_FOR_GOOD, "cancelled"),
    },
    "deferred": {**ends(PAID, "either_2", "either_4"), **ends(ORDERED, "either_1", "either_3")},
    "rows_mapped": {"queued": ORDERED, **ends(PAID, "waiting", "lost", "completed")},
    "odd_names": ends(PAID, "hidden", "long_one", "long_two"),
    "local": {
        **ends(ORDERED, *NOT_ORDERED),
        **ends(PAID, "lost", "accepted", "succeeded", "rendering", "completed", "edited"),
        **ends(FAILED_FOR_GOOD, "failed", "invalid"),
    },
}
# The same when a person clears all tasks of the runs, so that jobs which had ended begin anew.
ENDS_OF_CLEARED: Mapping[str, Mapping[str, tuple[str, int]]] = {
    "mapped": {
        **ends(PAID, "completed", "unknown", "damaged"),
        **ends(ORDERED, "cancelled", "refused"),
        **ends(FAILED_FOR_GOOD, "failed", "invalid"),
    },
    "budget": {**ends(PAID, "spender", "ordered"), "reserved": ORDERED, "short": CANCELLED_FOR_GOOD},
    "table": {"waiting": PAID, "cancelled": ORDERED},
    "late": {"late": PAID},
}
# Where one of the runs had failed before.
RUN_STATES = {"table": ["success", "failed"], "late": ["failed"]}
# Calls that Kling answers at once and charges for, when every run goes on where it was.
CALLS = {"chain": ["identify-face"]}
# The same when another run of the same batch takes its jobs up.
ENDS_OF_ANOTHER_RUN = {"cancelled": ORDERED, "refused": ORDERED}

MAPPED = ("mapped", "slots", "refusals", "budget", "edited", "regenerated", "table", "late", "by_hand")
CHAINED = ("chain", "things")
ODD = ("rows_mapped", "odd_names")
COMPACT = ("compact", "deferred")
# Both have a job that makes its lips move.
CLIPS = {"clip-c7bc1a86f8b4": "clip_1", "clip-f30dff214af9": "clip_2"}
# What nobody may change: users have it on their disks.
FINGERPRINT = "641c4bc8958f0aa8"


# What a job says of itself is read in the following functions alone: a record may keep it in other places one day.


def name_of(job):
    """Return what the fixture calls a job."""
    if job.prompt:
        return job.prompt.partition(":")[0]
    clips = [name for clip_id, name in CLIPS.items() if clip_id in str(job.params)]
    return " of ".join([job.params["kind"], *clips])


def ends_of(loaded):
    """Return how every job has ended, and how many tasks were ordered for it."""
    paid = [row["external_id"] or "" for row in loaded.paid_since()]
    return {
        name_of(job): (str(job.state), sum(one.startswith(f"{job.id}-") for one in paid))
        for job in loaded.jobs().values()
    }


def calls_of(loaded):
    """Return what was paid that is no task of a job."""
    return [row["product"] for row in loaded.paid_since() if not row["external_id"]]


def history_of(job):
    """Return the steps of a job as the old version wrote them."""
    return [(str(one.from_state), str(one.to_state), one.timestamp) for one in job.history]


def orders_of(job):
    """Return what was ordered for a job: our ids, and those of Kling."""
    return {one.external_task_id: one.task_id for one in job.submissions}


def require_nothing_lost(before, loaded):
    """Demand that what was on record is on record still, and that no job has a second record."""
    now = loaded.jobs()
    assert before.keys() <= now.keys()
    assert len({name_of(job) for job in now.values()}) == len(now)
    for job_id, old in before.items():
        new = now[job_id]
        steps = [(one["from"], one["to"], datetime.fromisoformat(one["timestamp"])) for one in old["history"]]
        assert new.revision > old["revision"] or history_of(new)[: len(steps)] == steps
        for order in old["submissions"]:
            assert order["task_id"] in (None, orders_of(new)[order["external_task_id"]])


def require_told(loaded):
    """Demand that every job which has ended says where its result lies, or why there is none."""
    for job in loaded.jobs().values():
        if job.state == COMPLETED:
            assert Path(job.processed_url.removeprefix("file://")).is_file()
        elif job.state in (FAILED, CANCELLED):
            assert job.error


def require_paid_once(loaded):
    """Demand that no order was given twice, and that each task was billed once."""
    rows = [*loaded.known.values(), *loaded.paid_since()]
    orders = [row["external_id"] for row in rows if row["external_id"]]
    assert len(orders) == len(set(orders))
    assert loaded.spent() == pytest.approx(sum(float(row["units"]) for row in rows))


class Runs:
    """The runs of a fixture, taken up by the present code."""

    def __init__(self, loaded, dags, monkeypatch):
        self.loaded = loaded
        self.replay = Replay(loaded)
        self._dags = dags
        self._monkeypatch = monkeypatch

    def go_on(self, only=None, **changes):
        """Run all of them to their ends, or the first jobs of a batch only; return the DAG runs."""
        before = self.loaded.records()
        runs = [{**run, **changes} for run in self.loaded.fixture.of_airflow("run")]
        for run in runs:
            run["conf"] = {name: value[:only] if name == "requests" else value for name, value in run["conf"].items()}
        ended = [self.replay.run(self._monkeypatch, self._dags[run["dag_id"]], run) for run in runs]
        require_nothing_lost(before, self.loaded)
        require_paid_once(self.loaded)
        require_told(self.loaded)
        return ended


@pytest.fixture
def runs(load, dags, monkeypatch):
    """Load a fixture and its runs."""
    return lambda name: Runs(load(Fixture(name)), dags, monkeypatch)


def test_the_fixtures_are_those_that_the_old_version_wrote():
    digest = hashlib.sha256()
    for path in sorted(FOLDER.rglob("*")):
        if path.is_file():
            digest.update(f"{path.relative_to(FOLDER)}\0".encode() + path.read_bytes())
    assert digest.hexdigest()[:16] == FINGERPRINT
    assert {*ENDS, "speech"} == set(NAMES)


def test_moments_are_moved_and_all_else_stays():
    moved = Shift(3600, since=datetime(2026, 11, 26, tzinfo=UTC).timestamp())
    stays = "manual__2026-01-02T01:00:00+00:00 620036746547036160 "
    assert moved(f"{stays}2026-11-26T01:29:20.205000Z 1795656594.012 1795656594012") == (
        f"{stays}2026-11-26T02:29:20.205000+00:00 1795660194.012 1795660194012"
    )


@pytest.mark.airflow
@pytest.mark.scenario(47)
@pytest.mark.parametrize("name", [*MAPPED, *CHAINED, *ODD, *COMPACT])
def test_a_run_goes_on_where_it_was(runs, name):
    found = runs(name)
    states = [str(run.state) for run in found.go_on()]
    assert ends_of(found.loaded) == ENDS[name]
    assert states == RUN_STATES.get(name, ["success"] * len(states))
    # Faces that were looked for are not looked for again, and no speech is made a second time.
    assert calls_of(found.loaded) == CALLS.get(name, [])


@pytest.mark.airflow
@pytest.mark.parametrize("name", ENDS_OF_CLEARED)
def test_a_run_that_a_person_clears_is_run_again_from_its_records(runs, name):
    found = runs(name)
    found.replay.clear()
    wanted = ENDS_OF_CLEARED[name]
    found.go_on(only=len(wanted))
    assert {name: end for name, end in ends_of(found.loaded).items() if name in wanted} == wanted


@pytest.mark.airflow
def test_another_run_of_a_batch_finds_its_rows(runs):
    found = runs("compact")
    found.replay.clear()
    found.go_on(run_id="manual__2026-02-01T01:00:00+00:00")
    assert ends_of(found.loaded) == {**ENDS["compact"], **ENDS_OF_ANOTHER_RUN}


@pytest.mark.airflow
def test_a_speech_on_record_is_not_paid_again_nor_one_that_was_not_heard(runs):
    found = runs("speech")
    (run,) = found.go_on()
    states = {ti.task_id: str(ti.state) for ti in run.get_task_instances()}
    assert states == {"answered": "success", "unanswered": "failed"}
    assert found.loaded.paid_since() == []


@pytest.mark.airflow
def test_a_lost_record_is_made_again_from_what_airflow_remembers(runs):
    pytest.importorskip("airflow.models.task_state_store", reason="Airflow below 3.3 has no such store")
    found = runs("late")
    (job,) = found.loaded.jobs().values()
    shutil.rmtree(next(found.loaded.videos.rglob(job.id)))
    found.replay.clear()
    found.go_on()
    assert ends_of(found.loaded) == {"late": PAID}
    assert not [one for one in found.loaded.sandbox.ledger()["requests"] if one.startswith("POST /text-to-video")]


def klingvideo(*arguments):
    """Run the command in a process of its own."""
    command = [sys.executable, "-m", "airflow_provider_klingvideo.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.scenario(47)
def test_a_batch_without_a_scheduler_goes_on_where_it_was(load):
    loaded = load(Fixture("local"))
    before = loaded.records()
    local = loaded.fixture.about["local"]
    told = klingvideo(
        *("generate", loaded.files / local["file"], "--output-path", loaded.videos),
        *("--batch", local["batch"], "--render-plan", loaded.files / "plan.json"),
        *("--on-invalid-rows", "skip"),
    )
    assert ends_of(loaded) == ENDS["local"], told.stderr
    require_nothing_lost(before, loaded)
    require_paid_once(loaded)


def test_old_records_are_compared_with_what_kling_lists_and_late_results_are_taken(load):
    loaded = load(Fixture("mapped"))
    told = klingvideo("reconcile", loaded.videos, "--adopt", "--json")
    report = json.loads(told.stdout)
    assert (report["open"], report["counts"].keys()) == (0, {"followed", "unconfirmed", "late_result"}), told.stderr
    assert {"unknown", "damaged"} <= {name for name, end in ends_of(loaded).items() if end == PAID}
    assert loaded.paid_since() == []


# What the event of a trigger says of its arguments.
TOLD = {"KlingVideoTaskTrigger": ["vendor_task_id"], "KlingVideoSlotTrigger": ["job_id"], "KlingVideoBatchTrigger": []}


def own_triggers():
    for name in NAMES:
        for row in Fixture(name).of_airflow("deferred"):
            if row["classpath"].startswith(PACKAGE):
                yield pytest.param(name, Instance.of(row), id="-".join((name, row["run_id"][8:18], row["task_id"])))


@pytest.mark.scenario(47)
@pytest.mark.parametrize(("name", "instance"), own_triggers())
def test_a_trigger_that_was_serialised_fires(load, name, instance):
    # Kling ends the last task while the trigger waits.
    loaded = load(Fixture(name), left=0.7)
    kept = Replay(loaded).deferred[instance]
    trigger = imported(kept["classpath"])(**kept["kwargs"])

    async def events():
        async with asyncio.timeout(20):
            return [event.payload async for event in trigger.run()]

    (payload,) = asyncio.run(events())
    told = TOLD[kept["classpath"].rpartition(".")[2]]
    assert {name: payload[name] for name in told} == {name: kept["kwargs"][name] for name in told}
    assert payload.get("outcome", "succeeded") == "succeeded"


@pytest.mark.parametrize("name", NAMES)
def test_classes_that_serialised_dags_name_are_where_they_were(name):
    for row in Fixture(name).of_airflow("class"):
        links = {link.name: link.xcom_key for link in imported(row["classpath"]).operator_extra_links}
        assert row["links"].items() <= links.items()
