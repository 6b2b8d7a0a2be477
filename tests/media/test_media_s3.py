"""Videos and films in an S3 bucket: what the record says lies there, and only what is missing is made again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from media_answers import serve
from s3_storage import Bucket

from airflow_provider_klingvideo.media import Artifact, Clip, Delivery, FilmPlan, MediaSettings, RenderPlan, deliver
from airflow_provider_klingvideo.media import assemble as assemble_film

pytestmark = pytest.mark.airflow

PLAN = ["master", "web", "hls", "sprite", "poster"]
SUBTITLES = b"1\n00:00:00,000 --> 00:00:01,500\nA fox\n"


class Job:
    """One video at Kling and its folder in the bucket."""

    def __init__(self, server: Any, settings: MediaSettings, bucket: Bucket, clip: Path) -> None:
        self.server = server
        self.settings = settings
        self.bucket = bucket
        self.body = clip.read_bytes()
        server.script = [serve(self.body)]

    def deliver(self, recorded: dict[str, Artifact] | None = None, plan: Any = PLAN) -> Delivery:
        from airflow_provider_klingvideo.runtime.paths import open_path

        return deliver(
            lambda: str(self.server.url),
            open_path(f"{self.bucket.uri}/videos/job-1"),
            settings=self.settings,
            recorded=recorded or {},
            plan=RenderPlan.parse(plan),
            open_path=open_path,
        )

    def written(self) -> dict[str, Any]:
        return self.bucket.written("videos/job-1/")

    def stored(self, name: str) -> bytes:
        return self.bucket[f"videos/job-1/{name}"]


def files_of(delivery: Delivery) -> dict[str, Any]:
    return {file.name: file for artifact in delivery.artifacts.values() for file in (artifact, *artifact.parts)}


@pytest.fixture
def job(server: Any, settings: MediaSettings, bucket: Bucket, clips: Callable[[str], Path]) -> Iterator[Job]:
    yield Job(server, settings, bucket, clips("plain"))
    assert list(Path(settings.scratch_dir or "").iterdir()) == [], "scratch space is cleaned"


def test_every_file_of_a_plan_is_stored_as_recorded_and_made_once(job: Job) -> None:
    first = job.deliver()
    files = files_of(first)
    assert first.warnings == []
    assert sorted(job.written()) == sorted(files)
    assert any(name.startswith("hls/") for name in files)
    assert any(name.endswith(".vtt") for name in files)
    for name, file in files.items():
        content = job.stored(name)
        assert (file.size, file.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert job.stored("source.mp4") == job.body
    assert first.artifacts["source.mp4"].path == f"{job.bucket.uri}/videos/job-1/source.mp4"

    written = job.written()
    assert job.deliver(first.artifacts) == first
    assert job.written() == written
    assert len(job.server.requests) == 1


@pytest.mark.parametrize("which", ["poster.jpg", "segment"])
def test_only_what_is_lost_or_spoiled_is_made_again(job: Job, which: str) -> None:
    plan = ["hls", "poster"]
    first = job.deliver(plan=plan)
    files = files_of(first)
    name = which if which in files else next(name for name in files if name.startswith("hls/") and "m4s" in name)
    before = job.written()
    if which == "segment":
        del job.bucket[f"videos/job-1/{name}"]
    else:
        job.bucket[f"videos/job-1/{name}"] = b"spoiled"
    again = job.deliver(first.artifacts, plan=plan)
    assert sorted(job.written()) == sorted(before)
    content = job.stored(name)
    assert files_of(again)[name].sha256 == hashlib.sha256(content).hexdigest()
    kept = {one for one, at in job.written().items() if at == before[one]}
    others = {one for one in files if one.startswith("hls/") == (which == "poster.jpg")} - {name}
    assert others <= kept
    assert "source.mp4" in kept
    assert len(job.server.requests) == 1


def test_a_lost_source_is_loaded_again(job: Job) -> None:
    first = job.deliver(plan=["poster"])
    del job.bucket["videos/job-1/source.mp4"]
    assert job.deliver(first.artifacts, plan=["poster"]).artifacts == first.artifacts
    assert job.stored("source.mp4") == job.body
    assert len(job.server.requests) == 2


def test_logo_and_subtitles_of_a_plan_are_read_from_the_bucket(job: Job, picture: Path) -> None:
    job.bucket["brand/logo.png"] = picture.read_bytes()
    job.bucket["brand/words.srt"] = SUBTITLES
    outputs = [
        {
            "preset": "web",
            "logo": f"{job.bucket.uri}/brand/logo.png",
            "subtitles": {"file": f"{job.bucket.uri}/brand/words.srt", "mode": "mux", "language": "eng"},
        }
    ]
    first = job.deliver(plan=outputs)
    web = first.artifacts["web.mp4"]
    assert hashlib.sha256(job.stored("web.mp4")).hexdigest() == web.sha256
    job.bucket["brand/words.srt"] = SUBTITLES.replace(b"fox", b"cat")
    assert job.deliver(first.artifacts, plan=outputs).artifacts["web.mp4"].made_by != web.made_by


@pytest.fixture
def picture(tmp_path: Path, clips: Callable[[str], Path]) -> Path:
    from media_measures import ffmpeg

    path = tmp_path / "logo.png"
    ffmpeg("-i", clips("plain"), "-frames:v", "1", "-vf", "scale=32:-2", path)
    return path


def test_a_film_of_clips_music_and_logo_in_the_bucket_is_made_once(
    bucket: Bucket, clips: Callable[[str], Path], picture: Path, tmp_path: Path
) -> None:
    from media_measures import ffmpeg

    from airflow_provider_klingvideo.runtime.paths import open_path

    music = tmp_path / "music.mp3"
    ffmpeg("-f", "lavfi", "-i", "sine=frequency=220:duration=5", music)
    for name, path in {"a.mp4": clips("plain"), "b.mp4": clips("silent"), "music.mp3": music, "l.png": picture}.items():
        bucket[name] = path.read_bytes()
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    settings = replace(MediaSettings(), scratch_dir=str(scratch))
    plan = FilmPlan.parse(
        {"transition": "fade", "music": f"{bucket.uri}/music.mp3", "title": "The fox", "logo": f"{bucket.uri}/l.png"}
    )

    def make() -> Any:
        return assemble_film(
            [Clip(open_path(f"{bucket.uri}/{name}")) for name in ("a.mp4", "b.mp4")],
            plan,
            open_path(f"{bucket.uri}/film"),
            settings=settings,
            open_path=open_path,
        )

    film = make()
    written = bucket.written("film/")
    assert sorted(written) == ["film.json", "film.mp4", "poster.jpg"]
    for name, artifact in film.artifacts.items():
        content = bucket[f"film/{name}"]
        assert (artifact.size, artifact.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert [clip.path for clip in film.clips] == [f"{bucket.uri}/a.mp4", f"{bucket.uri}/b.mp4"]
    assert make() == film
    assert bucket.written("film/") == written
    bucket["music.mp3"] = clips("sound_only").read_bytes()
    assert make().fingerprint != film.fingerprint
    assert list(scratch.iterdir()) == []
