"""What a plan makes of a job's video, what its record says, and what becomes of a video that fails a gate."""

from __future__ import annotations

import asyncio
import hashlib
import re
import subprocess
from pathlib import Path

import pytest
from workshop import Workshop, slots_of

from airflow_provider_klingvideo.media import RenderPlan, find_binaries, probe
from airflow_provider_klingvideo.workflow import VideoSteps, WorkflowJob, WorkflowState, reopened
from airflow_provider_klingvideo.workflow.job.errors import StoredFilesError

S = WorkflowState
TALL = {"preset": "web", "name": "tall", "aspect": "9:16", "fit": "blur", "width": 90}


@pytest.fixture
def sandbox(quick_sandbox):
    quick_sandbox.reset()
    return quick_sandbox


@pytest.fixture
def workshop(sandbox, tmp_path):
    def open_workshop(*outputs, **gates):
        plan = RenderPlan.parse({"outputs": list(outputs or ["master"]), "gates": gates})
        return Workshop(sandbox, tmp_path, plan=plan)

    return open_workshop


def fox(**fields):
    return WorkflowJob(id="job-1", prompt="A fox", params={"model": "kling-2.5-turbo"}, **fields)


def test_the_plan_decides_what_is_made_and_the_record_says_it(workshop):
    shop = workshop("master", TALL, "hls")
    job = shop.process(fox())
    assert job.state is S.COMPLETED, job.error
    artifacts = job.files.artifacts
    assert set(artifacts) == {"source.mp4", "master.mp4", "tall.mp4", "hls/index.m3u8"}
    folder = shop.store.folder(job.id)
    assert probe(folder / "tall.mp4", find_binaries()).display_size == (90, 160)
    for artifact in artifacts.values():
        for file in (artifact, *artifact["parts"]):
            assert hashlib.sha256((folder / file["name"]).read_bytes()).hexdigest() == file["sha256"]
    assert job.processed_url == str(folder / "master.mp4")


def test_a_missing_segment_is_missed(workshop):
    shop = workshop("hls")
    job = shop.process(fox())
    folder = shop.store.folder(job.id)
    parts = [part["name"] for part in job.files.artifacts["hls/index.m3u8"]["parts"]]
    (folder / parts[-1]).unlink()
    with pytest.raises(StoredFilesError, match=f"{parts[-1]} is missing"):
        asyncio.run(VideoSteps(None, shop.store, outputs=shop.outputs, slots=slots_of(shop.store)).prove(job))
    half_written = folder / "hls" / f".{Path(parts[0]).name}.1234.part"
    half_written.write_bytes(b"half")
    again = shop.process(reopened(job, S.POST_PROCESSING))
    assert not half_written.exists()
    assert again.state is S.COMPLETED
    assert all((folder / name).exists() for name in parts), "it is made again"


def test_provenance_travels_with_the_video(workshop):
    shop = workshop(TALL)
    job = shop.process(fox())
    content = (shop.store.folder(job.id) / "tall.mp4").read_bytes()
    assert hashlib.sha256(b"A fox").hexdigest().encode() in content
    assert b"kling-2.5-turbo" in content


def test_what_is_made_is_on_record_when_a_required_output_is_not(workshop, sandbox):
    shop = workshop("master", {"preset": "web", "logo": {"file": "nowhere.png"}, "required": True})
    # The logo was there when the video was ordered.
    job = shop.process(reopened(workshop("master").process(fox()), S.POST_PROCESSING))
    assert (job.state, job.failure["kind"], job.failure["money"]) == (S.FAILED, "output", "billed")
    assert set(job.files.artifacts) == {"source.mp4", "master.mp4"}
    assert workshop("master").process(reopened(job, S.POST_PROCESSING)).state is S.COMPLETED
    assert [count for what, count in sandbox.ledger()["requests"].items() if "/media/" in what] == [1]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("logo.png", None, r"outputs.1.logo '.*logo.png': there is no such file"),
        ("logo.png", b"<html>sorry</html>", r"outputs.1.logo '.*logo.png': .* and is a web page"),
        ("music.mp3", b"", r"outputs.1.music '.*music.mp3': The file is empty"),
        ("voice.m4a", ["-c:a", "pcm_s16le", "-f", "mp4"], r"'.*voice.m4a', stream 0: its codec pcm_s16le"),
        ("subtitles.srt", b"1\n00:00:00,000 --> never\nHi\n", r"outputs.1.subtitles '.*subtitles.srt', line 2: "),
    ],
)
def test_a_file_that_cannot_be_used_is_told_before_the_order(workshop, sandbox, tmp_path, name, content, words):
    path = tmp_path / name
    if isinstance(content, list):
        sine = ["-f", "lavfi", "-i", "sine=duration=1", *content, str(path)]
        subprocess.run([find_binaries().ffmpeg, "-v", "error", *sine], check=True)
    elif content is not None:
        path.write_bytes(content)
    job = workshop("master", {"preset": "web", path.stem: str(path)}).process(fox())
    assert (job.state, job.failure["kind"], job.failure["money"]) == (S.FAILED, "plan", "none")
    assert not job.failure["retryable"]
    assert S.QUEUED not in job.path
    assert re.search(words, job.failure["message"])
    assert sandbox.ledger()["tasks"] == []


def test_a_video_that_fails_a_gate_is_kept_and_said_to_be_paid(workshop, sandbox):
    shop = workshop("master", black="fail")
    folder = shop.store.folder("job-1")
    folder.mkdir(parents=True)
    black = ["-f", "lavfi", "-i", "color=black:size=64x64:rate=10:duration=5", "-pix_fmt", "yuv420p"]
    subprocess.run([find_binaries().ffmpeg, "-v", "error", *black, str(folder / "source.mp4")], check=True)
    job = shop.process(fox())
    assert (job.state, job.failure["kind"], job.failure["money"]) == (S.FAILED, "gate", "billed")
    assert set(job.files.artifacts) == {"source.mp4", "master.mp4"}
    assert [gate["gate"] for gate in job.files.gates if not gate["passed"]] == ["black"]
    lenient = workshop("master", black="warn")
    assert lenient.process(reopened(job, S.POST_PROCESSING)).state is S.COMPLETED
    assert len(sandbox.ledger()["tasks"]) == 1
