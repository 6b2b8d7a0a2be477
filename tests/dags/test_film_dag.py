"""The example that makes a film of six shots."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from airflow_provider_klingvideo.media import find_binaries, probe, sha256_of

pytestmark = pytest.mark.airflow

SECONDS, FADE, SHOTS = 3, 0.5, 6


def local(path):
    return Path(urlsplit(path).path)


def film_of(run):
    folder = run.store.base / "film"
    return json.loads((folder / "film.json").read_text()), local(str(folder))


def test_six_shots_become_one_film_which_is_made_once(airflow, sandbox):
    conf = {"seconds": SECONDS, "transition_seconds": FADE, "title": "It's 100%: a fox"}
    run = airflow.run("film", **conf)
    assert run.state == "success"
    record, folder = film_of(run)
    jobs = [run.job(index, key="shots.jobs") for index in range(SHOTS)]
    masters = [job.files.artifacts["master.mp4"] for job in jobs]
    film = probe(folder / "film.mp4", find_binaries())
    # Kling's clips last a frame longer than was ordered.
    shown = sum(master["duration"] for master in masters) - (SHOTS - 1) * FADE
    assert film.duration == pytest.approx(shown, abs=0.1)
    assert (film.width, film.height, film.fps) == (masters[0]["width"], masters[0]["height"], 24)
    assert (film.video_codec, film.pixel_format, film.audio_codec) == ("h264", "yuv420p", "aac")
    assert [(clip["origin"], clip["sha256"]) for clip in record["clips"]] == [
        (job.id, master["sha256"]) for job, master in zip(jobs, masters, strict=True)
    ]
    assert record["artifacts"]["film.mp4"]["sha256"] == sha256_of(folder / "film.mp4")
    assert {path.name for path in folder.iterdir()} == {"film.mp4", "poster.jpg", "film.json"}

    made = (folder / "film.mp4").stat().st_mtime_ns
    again = airflow.run_again("film", **conf)
    assert (again.state, (folder / "film.mp4").stat().st_mtime_ns) == ("success", made)
    assert len(sandbox.ledger()["tasks"]) == SHOTS


def test_a_shot_that_fails_leaves_no_film(airflow, sandbox):
    run = airflow.run("film", shots=["A fox", "[sandbox:fail=no]"], seconds=SECONDS)
    assert (run.state, run.tasks(prefix="film")) == ("failed", {"": "upstream_failed"})
    assert not (run.store.base / "film").exists()
