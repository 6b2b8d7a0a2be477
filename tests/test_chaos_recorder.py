"""The evidence of the chaos run is read right: bad files are found, Airflow's states are taken for what they show."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest
from chaos.recorder import artifact_faults, counts_as, ffmpeg
from chaos.run import first_task


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("film") / "master.mp4"
    source = "testsrc=duration=2:size=64x64:rate=10"
    # The index lies in front, as in what is delivered: a cut file can be opened.
    command = [ffmpeg(), "-v", "error", "-f", "lavfi", "-i", source, "-movflags", "+faststart", str(path)]
    subprocess.run(command, check=True)
    return path


def record_of(path: Path) -> dict:
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    return {"size": len(content), "sha256": digest, "media_type": "video/mp4", "duration": 2.0}


def test_a_whole_film_has_no_faults(film):
    assert list(artifact_faults(film, record_of(film))) == []


def test_a_missing_film_is_found(film):
    assert list(artifact_faults(film.with_name("other.mp4"), record_of(film))) == ["is missing"]


def test_a_film_that_differs_from_its_record_is_found(film):
    faults = list(artifact_faults(film, {**record_of(film), "size": 1, "sha256": "0", "duration": 5.0}))
    assert [fault.split()[-1] for fault in faults] == ["record", "record", "record"]


def test_a_cut_film_is_found_though_its_record_agrees(film, tmp_path):
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(film.read_bytes()[:-400])
    assert any("does not decode" in fault or "long" in fault for fault in artifact_faults(cut, record_of(cut)))


@pytest.mark.parametrize(
    ("states", "shown"),
    [
        ({"completed": "success", "failed": "skipped", "cancelled": "skipped", "verdict": "success"}, "COMPLETED"),
        ({"completed": "upstream_failed", "failed": "success", "verdict": "failed"}, "FAILED"),
        ({"completed": "skipped", "failed": "skipped", "cancelled": "success", "verdict": "success"}, "CANCELLED"),
    ],
)
def test_the_end_that_airflow_shows(states, shown):
    assert counts_as(states) == shown


def test_states_that_show_no_end_are_named():
    states = {"completed": "success", "failed": "skipped", "verdict": "failed", "created": "success"}
    assert counts_as(states) == "completed success, failed skipped, verdict failed"


@pytest.mark.parametrize(
    ("failure", "has_task", "task"),
    [
        ({"state": "VALIDATED", "kind": "account"}, False, "created"),
        ({"state": "QUEUED", "kind": "queue_timeout"}, False, "queued"),
        ({"state": "GENERATING", "kind": "ambiguous_submission"}, False, "generating"),
        ({"state": "GENERATING", "kind": "abandoned"}, False, "generating"),
        ({"state": "GENERATING", "kind": "timeout"}, True, "generation"),
        ({"state": "GENERATING", "kind": "server"}, True, "generating"),
        ({"state": "POST_PROCESSING", "kind": "download"}, True, "post_processing"),
    ],
)
def test_what_a_person_clears(failure, has_task, task):
    assert first_task(failure, has_task=has_task) == task
