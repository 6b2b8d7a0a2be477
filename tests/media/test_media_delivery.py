from __future__ import annotations

import contextlib
import hashlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from media_answers import cut, rest, serve, status, unframed
from media_probes import probed

from airflow_provider_klingvideo.errors import Money
from airflow_provider_klingvideo.media import (
    Artifact,
    Delivery,
    DownloadError,
    Expected,
    ExpiredUrlError,
    FFmpegError,
    FFmpegMissingError,
    GateError,
    MediaSettings,
    OutputError,
    RenderPlan,
    VerificationError,
    deliver,
    find_binaries,
    sha256_of,
)
from airflow_provider_klingvideo.storage.errors import StorageError

NAMES = ["source.mp4", "master.mp4", "poster.jpg", "preview.webp", "contact_sheet.jpg"]


class Job:
    """One video at Kling and its folder."""

    def __init__(self, server: Any, settings: MediaSettings, folder: Path, clip: Path) -> None:
        self.server = server
        self.settings = settings
        self.folder = folder
        self.body = clip.read_bytes()
        self.urls_asked = 0
        server.script = [serve(self.body)]

    def fetch_url(self) -> str:
        self.urls_asked += 1
        return str(self.server.url)

    def deliver(self, recorded: dict[str, Artifact] | None = None, **options: Any) -> Delivery:
        options = {"settings": self.settings, "expected": Expected(duration=2.04), **options}
        return deliver(self.fetch_url, self.folder, recorded=recorded or {}, **options)

    @property
    def downloads(self) -> int:
        return len(self.server.requests)

    def stored(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.folder.iterdir()} if self.folder.exists() else {}


@pytest.fixture
def job(server: Any, settings: MediaSettings, tmp_path: Path, clips: Callable[[str], Path]) -> Any:
    yield Job(server, settings, tmp_path / "out", clips("plain"))
    assert list(Path(settings.scratch_dir or "").iterdir()) == [], "scratch space is cleaned"


def damaged(body: bytes) -> bytes:
    middle = len(body) // 2
    return body[:middle] + bytes(value ^ 0x55 for value in body[middle : middle + 4000]) + body[middle + 4000 :]


def program(path: Path, text: str) -> str:
    """An ffmpeg of our own making."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_a_delivery_stores_five_files_and_describes_them(job: Job) -> None:
    delivery = job.deliver()
    assert list(delivery.artifacts) == NAMES
    assert delivery.warnings == []
    assert delivery.info.video_codec == "h264"
    stored = job.stored()
    assert sorted(stored) == sorted(NAMES)
    assert stored["source.mp4"] == job.body
    for name, artifact in delivery.artifacts.items():
        assert artifact.name == name
        assert artifact.path == str(job.folder / name)
        assert artifact.size == len(stored[name])
        assert artifact.sha256 == hashlib.sha256(stored[name]).hexdigest()
    assert delivery.artifacts["master.mp4"].duration == pytest.approx(2, abs=0.05)
    assert delivery.artifacts["poster.jpg"].duration is None


@pytest.mark.scenario(34)
def test_a_reset_half_way_is_survived(job: Job) -> None:
    job.server.script = [cut(job.body, len(job.body) // 2, ETag='"1"'), rest(job.body)]
    assert job.deliver().artifacts["source.mp4"].sha256 == hashlib.sha256(job.body).hexdigest()
    assert job.urls_asked == 1


class TestAgain:
    def test_with_the_record_nothing_is_loaded_or_written(self, job: Job) -> None:
        first = job.deliver()
        written = {path.name: path.stat().st_mtime_ns for path in job.folder.iterdir()}
        assert job.deliver(first.artifacts) == first
        assert {path.name: path.stat().st_mtime_ns for path in job.folder.iterdir()} == written
        assert (job.downloads, job.urls_asked) == (1, 1)

    @pytest.mark.scenario(38)
    def test_without_the_record_good_bytes_are_not_loaded_again(self, job: Job) -> None:
        first = job.deliver()
        assert job.deliver().artifacts["source.mp4"] == first.artifacts["source.mp4"]
        assert (job.downloads, job.urls_asked) == (1, 1)

    @pytest.mark.parametrize("name", NAMES[1:])
    @pytest.mark.parametrize("fault", [Path.unlink, lambda path: path.write_bytes(b"spoiled")])
    def test_only_what_is_missing_or_spoiled_is_made_again(self, job: Job, name: str, fault: Any) -> None:
        first = job.deliver()
        others = {path: path.stat().st_mtime_ns for path in job.folder.iterdir() if path.name != name}
        fault(job.folder / name)
        again = job.deliver(first.artifacts)
        assert list(again.artifacts) == NAMES
        assert sha256_of(job.folder / name) == again.artifacts[name].sha256
        assert {path: path.stat().st_mtime_ns for path in others} == others
        assert job.downloads == 1

    def test_an_artifact_without_record_is_made_again(self, job: Job) -> None:
        first = job.deliver()
        (job.folder / "poster.jpg").write_bytes(b"of unknown origin")
        recorded = {name: one for name, one in first.artifacts.items() if name != "poster.jpg"}
        assert job.deliver(recorded).artifacts["poster.jpg"].sha256 == sha256_of(job.folder / "poster.jpg")
        assert job.stored()["poster.jpg"].startswith(b"\xff\xd8")

    @pytest.mark.parametrize(
        "spoil",
        [
            lambda body: body[: len(body) // 2],
            damaged,
            lambda _body: b"<html>",
            lambda _body: b"",
        ],
    )
    @pytest.mark.parametrize("with_record", [True, False])
    def test_a_spoiled_source_is_loaded_again(self, job: Job, spoil: Any, with_record: bool) -> None:
        first = job.deliver()
        (job.folder / "source.mp4").write_bytes(spoil(job.body))
        again = job.deliver(first.artifacts if with_record else None)
        assert again.artifacts["source.mp4"] == first.artifacts["source.mp4"]
        assert job.stored()["source.mp4"] == job.body
        assert job.downloads == 2

    @pytest.mark.parametrize("spoil", [damaged, lambda body: body])
    def test_an_unrecorded_source_is_decoded_even_if_all_else_is_there(self, job: Job, spoil: Any) -> None:
        first = job.deliver()
        (job.folder / "source.mp4").write_bytes(spoil(job.body))
        recorded = {name: one for name, one in first.artifacts.items() if name != "source.mp4"}
        assert job.deliver(recorded) == first
        assert job.stored()["source.mp4"] == job.body
        assert job.downloads == (1 if spoil(job.body) == job.body else 2)

    def test_a_recorded_source_that_is_not_as_expected_is_not_loaded_again(self, job: Job) -> None:
        first = job.deliver()
        with pytest.raises(VerificationError, match="Kling reported"):
            job.deliver(first.artifacts, expected=Expected(duration=10))
        assert job.downloads == 1


class TestUrl:
    @pytest.mark.scenario(36)
    def test_an_expired_one_is_replaced_once(self, job: Job) -> None:
        job.server.script = [status(403), serve(job.body)]
        assert job.deliver().artifacts
        assert job.urls_asked == 2

    @pytest.mark.scenario(36)
    def test_one_that_stays_expired_is_an_error(self, job: Job) -> None:
        job.server.script = [status(404)]
        with pytest.raises(ExpiredUrlError, match="30 days") as caught:
            job.deliver()
        assert job.urls_asked == 2
        assert caught.value.money is Money.BILLED
        assert job.stored() == {}

    def test_what_the_vendor_answers_instead_passes_through(self, job: Job) -> None:
        def refuse() -> str:
            raise LookupError("task not found")

        with pytest.raises(LookupError):
            deliver(refuse, job.folder, settings=job.settings)


class TestBadDownload:
    @pytest.mark.scenario(35)
    def test_a_web_page_is_not_stored(self, job: Job) -> None:
        job.server.script = [serve(b"<html>busy</html>", "text/html")]
        with pytest.raises(DownloadError, match="busy"):
            job.deliver()
        assert job.stored() == {}

    @pytest.mark.scenario(35)
    def test_a_short_file_without_announced_length_is_not_stored(self, job: Job) -> None:
        job.server.script = [unframed(job.body[:-1000])]
        with pytest.raises(VerificationError, match="truncated"):
            job.deliver()
        assert job.stored() == {}

    @pytest.mark.scenario(39)
    def test_flipped_bits_are_found_and_the_paid_file_is_kept(self, job: Job) -> None:
        job.server.script = [serve(damaged(job.body))]
        with pytest.raises(VerificationError, match="does not decode") as caught:
            job.deliver()
        assert caught.value.money is Money.BILLED
        assert list(job.stored()) == ["source.mp4"]
        job.server.script = [serve(job.body)]
        assert job.deliver().artifacts["source.mp4"].sha256 == hashlib.sha256(job.body).hexdigest()

    def test_another_duration_is_told_and_the_paid_file_is_kept(self, job: Job) -> None:
        with pytest.raises(VerificationError, match="Kling reported"):
            job.deliver(expected=Expected(duration=10))
        assert list(job.stored()) == ["source.mp4"]
        assert job.downloads == 1

    @pytest.mark.scenario(39)
    def test_missing_sound_is_a_warning(self, job: Job, clips: Callable[[str], Path]) -> None:
        job.server.script = [serve(clips("silent").read_bytes())]
        assert job.deliver(expected=Expected(audio=True)).warnings == [
            "The video has no sound, though sound was ordered"
        ]


class TestFfmpegFails:
    """Whatever happens to ffmpeg: the source is stored, and the next run downloads nothing and makes the rest."""

    def check(self, job: Job, ffmpeg: str, error: type[Exception], **options: Any) -> None:
        with pytest.raises(error):
            job.deliver(settings=replace(job.settings, ffmpeg_path=ffmpeg, **options))
        assert list(job.stored()) == ["source.mp4"]
        assert list(job.deliver().artifacts) == NAMES
        assert job.downloads == 1

    @pytest.mark.scenario(39)
    def test_missing(self, job: Job, tmp_path: Path) -> None:
        self.check(job, str(tmp_path / "nothing"), FFmpegMissingError)

    def real_but(self, path: Path, instead: str) -> str:
        """Probing and decoding work, every pass that makes a poster does something else."""
        return program(path, f'case "$*" in *poster.jpg*) {instead};; esac\nexec "{find_binaries().ffmpeg}" "$@"')

    @pytest.mark.scenario(39)
    def test_hangs(self, job: Job, tmp_path: Path) -> None:
        ffmpeg = self.real_but(tmp_path / "ffmpeg", "while :; do sleep 0.1; done")
        self.check(job, ffmpeg, FFmpegError, ffmpeg_seconds=1)

    def test_is_killed(self, job: Job, tmp_path: Path) -> None:
        self.check(job, self.real_but(tmp_path / "ffmpeg", "kill -KILL $$"), FFmpegError)

    @pytest.mark.scenario(39)
    @pytest.mark.parametrize("fault", ["echo no luck >&2; exit 1", "kill -SEGV $$", "exit 0"])
    def test_fails_at_one_output_though_the_source_is_good(self, job: Job, tmp_path: Path, fault: str) -> None:
        faulty = replace(job.settings, ffmpeg_path=self.real_but(tmp_path / "ffmpeg", fault))
        first = job.deliver(settings=faulty)
        assert list(first.artifacts) == [name for name in NAMES if name != "poster.jpg"]
        assert [warning.partition(":")[0] for warning in first.warnings] == ["poster.jpg was left out"]
        again = job.deliver(first.artifacts)
        assert list(again.artifacts) == NAMES
        assert again.warnings == []
        assert job.downloads == 1

    @pytest.mark.scenario(39)
    def test_fails_at_a_required_output(self, job: Job, tmp_path: Path) -> None:
        faulty = replace(job.settings, ffmpeg_path=self.real_but(tmp_path / "ffmpeg", "echo no luck >&2; exit 1"))
        plan = RenderPlan.parse(["master", {"preset": "poster", "required": True}])
        with pytest.raises(OutputError, match="no luck") as caught:
            job.deliver(settings=faulty, plan=plan)
        assert caught.value.money is Money.BILLED
        assert sorted(job.stored()) == ["master.mp4", "source.mp4"]
        told = caught.value.delivery
        assert told is not None
        assert list(told.artifacts) == ["source.mp4", "master.mp4"]
        assert list(job.deliver(plan=plan).artifacts) == ["source.mp4", "master.mp4", "poster.jpg"]
        assert job.downloads == 1


class TestPlan:
    def test_only_what_changed_is_made_anew(self, job: Job) -> None:
        first = job.deliver(plan=RenderPlan.parse(["master", "poster", {"preset": "web", "width": 64}]))
        assert list(first.artifacts) == ["source.mp4", "master.mp4", "poster.jpg", "web.mp4"]
        before = {path: path.stat().st_mtime_ns for path in job.folder.iterdir() if path.name != "web.mp4"}
        plan = RenderPlan.parse(["master", "poster", {"preset": "web", "width": 128}])
        again = job.deliver(first.artifacts, plan=plan)
        assert again.artifacts["web.mp4"].width == 128
        assert again.artifacts["web.mp4"].made_by != first.artifacts["web.mp4"].made_by
        assert {path: path.stat().st_mtime_ns for path in before} == before
        assert job.deliver(again.artifacts, plan=plan) == again
        assert job.downloads == 1

    def test_records_of_versions_without_plans_are_made_anew(self, job: Job) -> None:
        first = job.deliver()
        old = {name: one.model_copy(update={"made_by": None}) for name, one in first.artifacts.items()}
        assert job.deliver(old).artifacts == first.artifacts

    def test_a_playlist_is_one_record_of_many_files(self, job: Job) -> None:
        plan = RenderPlan.parse(["master", "hls", "sprite"])
        first = job.deliver(plan=plan)
        hls, sprite = first.artifacts["hls/index.m3u8"], first.artifacts["sprite.jpg"]
        assert [one.name for one in hls.files] == ["hls/index.m3u8", "hls/init.mp4", "hls/segment-00000.m4s"]
        assert [one.name for one in sprite.files] == ["sprite.jpg", "sprite.vtt"]
        stored = {str(path.relative_to(job.folder)) for path in job.folder.rglob("*") if path.is_file()}
        assert stored == {"source.mp4", "master.mp4", *(one.name for one in (*hls.files, *sprite.files))}
        for part in (*hls.parts, *sprite.parts):
            content = (job.folder / part.name).read_bytes()
            assert (part.size, part.sha256) == (len(content), hashlib.sha256(content).hexdigest())
        assert job.deliver(first.artifacts, plan=plan) == first
        (job.folder / "hls" / "segment-00000.m4s").write_bytes(b"spoiled")
        assert job.deliver(first.artifacts, plan=plan).artifacts["hls/index.m3u8"] == hls
        assert sha256_of(job.folder / "hls" / "segment-00000.m4s") == hls.parts[1].sha256

    def test_segments_of_a_longer_video_do_not_stay(self, job: Job) -> None:
        slow = RenderPlan.parse([{"preset": "hls", "speed": 0.5}])
        first = job.deliver(plan=RenderPlan.parse([{"preset": "hls", "speed": 0.5, "fps": 5}]))
        assert len(first.artifacts["hls/index.m3u8"].parts) == 2
        long = first.artifacts["hls/index.m3u8"]
        extra = long.parts[1].model_copy(update={"name": "hls/segment-00001.m4s"})
        (job.folder / extra.name).write_bytes(b"of a longer video")
        recorded = {**first.artifacts, long.name: long.model_copy(update={"parts": (*long.parts, extra)})}
        again = job.deliver(recorded, plan=slow)
        assert {f"hls/{path.name}" for path in (job.folder / "hls").iterdir()} == {
            one.name for one in again.artifacts["hls/index.m3u8"].files
        }

    def test_provenance_and_marks_are_in_every_video(self, job: Job, clips: Callable[[str], Path]) -> None:
        job.server.script = [serve(clips("labelled").read_bytes())]
        plan = RenderPlan.parse(
            ["master", "web", "hevc", "av1", "webm", "prores", "hls", {"preset": "web", "name": "re", "width": 64}]
        )
        provenance = {"kling_model": "kling-v3", "kling_prompt_sha256": "ab=cd;'"}
        delivery = job.deliver(plan=plan, provenance=provenance)
        for name in list(delivery.artifacts)[1:]:
            told = probed(job.folder / name, find_binaries()).printed.lower()
            for key, value in {"aigc": '{"label":"1"}', "title": "a cat", **provenance}.items():
                assert re.search(rf"{key} *: {re.escape(value)}", told), (name, key)

    def test_texts_of_any_origin_go_into_the_metadata(self, job: Job) -> None:
        """Half a character and a NUL cannot be part of a command."""
        plan = RenderPlan.parse([{"preset": "web", "width": 64}])
        job.deliver(plan=plan, provenance={"model": "kling\ud800v3", "job_id": "a\0b"})
        content = (job.folder / "web.mp4").read_bytes()
        assert "kling\ufffdv3".encode() in content
        assert "a\u2400b".encode() in content

    def test_a_nul_in_a_title_hides_nothing_behind_it(self, job: Job) -> None:
        titles = ["a", "a\0bcd", "a\u2400bcd"]
        plan = RenderPlan.parse([{"preset": "web", "name": f"t{n}", "title": title} for n, title in enumerate(titles)])
        delivery = job.deliver(plan=plan)
        assert delivery.warnings == []
        sums = [delivery.artifacts[f"t{n}.mp4"].sha256 for n in range(3)]
        assert sums[1] == sums[2] != sums[0]


class TestRecordsOfElsewhere:
    """A record can be edited, or copied with its job's folder: nothing outside that folder is touched by its names."""

    @pytest.fixture
    def outside(self, job: Job) -> Path:
        """A file beside the job's folder, older than everything."""
        path = job.folder.with_name("outside.mp4")
        path.write_bytes(job.body)
        return path

    def named(self, artifact: Artifact, name: str) -> Artifact:
        return artifact.model_copy(update={"name": name})

    @pytest.mark.parametrize("form", ["../{0.name}", "{0}", "hls/../../{0.name}"])
    def test_a_file_outside_is_not_taken_for_an_output(self, job: Job, outside: Path, form: str) -> None:
        first = job.deliver()
        master = first.artifacts["master.mp4"].model_copy(update={"sha256": sha256_of(outside)})
        (job.folder / "master.mp4").unlink()
        again = job.deliver({**first.artifacts, "master.mp4": self.named(master, form.format(outside))})
        assert again.artifacts["master.mp4"].path == str(job.folder / "master.mp4")
        assert (job.folder / "master.mp4").exists()

    @pytest.mark.parametrize("form", ["../{0.name}", "{0}", "hls/../../{0.name}"])
    def test_a_file_outside_is_no_leftover(self, job: Job, outside: Path, form: str) -> None:
        plan = RenderPlan.parse(["hls"])
        first = job.deliver(plan=plan)
        hls = first.artifacts["hls/index.m3u8"]
        parts = (*hls.parts, hls.parts[0].model_copy(update={"name": form.format(outside)}))
        recorded = {**first.artifacts, hls.name: hls.model_copy(update={"parts": parts, "made_by": "another plan"})}
        assert job.deliver(recorded, plan=plan).artifacts["hls/index.m3u8"] == hls
        assert outside.read_bytes() == job.body

    def test_the_place_on_record_does_not_count(self, job: Job, outside: Path) -> None:
        first = job.deliver()
        moved = {name: one.model_copy(update={"path": str(outside)}) for name, one in first.artifacts.items()}
        assert job.deliver(moved) == first


class TestGates:
    def deliver(self, job: Job, clips: Callable[[str], Path], recorded: Any = None, **gates: str) -> Delivery:
        job.server.script = [serve(clips("faulty").read_bytes())]
        plan = RenderPlan.parse({"outputs": ["master"], "gates": {"frozen_seconds": 1.5, **gates}})
        return job.deliver(recorded, plan=plan, expected=Expected(duration=6, audio=True, size=(320, 180)))

    def test_what_is_found_is_told(self, job: Job, clips: Callable[[str], Path]) -> None:
        delivery = self.deliver(job, clips, black="warn", frozen="warn")
        assert {gate.gate: gate.passed for gate in delivery.gates} == {
            "black": False,
            "frozen": False,
            "silent": True,
            "duration": True,
            "size": False,
            "decode": True,
        }
        assert delivery.warnings == [
            "The video is black at 0.00-1.00 s",
            "The video does not move at 2.00-4.00 s",
            "The video is 64x64, but 320x180 was ordered",
        ]
        (span,) = delivery.gates[0].spans
        assert span == pytest.approx((0, 1), abs=0.1)

    def test_off_looks_for_nothing(self, job: Job, clips: Callable[[str], Path]) -> None:
        off = dict.fromkeys(["black", "frozen", "silent", "size", "duration", "decode"], "off")
        delivery = self.deliver(job, clips, **off)
        assert (delivery.gates, delivery.warnings) == ((), [])
        findings = delivery.artifacts["source.mp4"].findings
        assert findings is not None
        assert (findings.black, findings.frozen, findings.damaged) == (None, None, None)

    def test_a_failed_one_is_told_after_everything_is_stored(self, job: Job, clips: Callable[[str], Path]) -> None:
        with pytest.raises(GateError, match=r"black at 0\.00-1\.00 s; .*does not move") as caught:
            self.deliver(job, clips, black="fail", frozen="fail")
        assert sorted(job.stored()) == ["master.mp4", "source.mp4"]
        assert caught.value.money is Money.BILLED
        assert not caught.value.retryable
        assert list(caught.value.delivery.artifacts) == ["source.mp4", "master.mp4"]
        with pytest.raises(GateError):
            self.deliver(job, clips, caught.value.delivery.artifacts, black="fail", frozen="fail")
        accepted = self.deliver(job, clips, caught.value.delivery.artifacts, black="warn", frozen="off")
        assert accepted.warnings[0] == "The video is black at 0.00-1.00 s"

    def test_what_was_found_is_not_looked_for_again(
        self, job: Job, clips: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = self.deliver(job, clips, black="warn")
        record = {name: Artifact.from_json(one.to_json()) for name, one in first.artifacts.items()}
        with monkeypatch.context() as patched:
            patched.setattr("airflow_provider_klingvideo.media.delivery.render", None)
            assert self.deliver(job, clips, record, black="warn") == first
        assert self.deliver(job, clips, record, black="warn", frozen="warn").warnings[:2] == [
            "The video is black at 0.00-1.00 s",
            "The video does not move at 2.00-4.00 s",
        ]

    def test_another_duration_can_be_accepted(self, job: Job) -> None:
        plan = RenderPlan.parse({"gates": {"duration": "warn"}})
        delivery = job.deliver(plan=plan, expected=Expected(duration=10))
        assert delivery.warnings == ["The video lasts 2.00 s, but Kling reported 10.00 s"]
        assert list(delivery.artifacts) == NAMES

    def test_damage_can_be_accepted(self, job: Job) -> None:
        job.server.script = [serve(damaged(job.body))]
        delivery = job.deliver(plan=RenderPlan.parse({"gates": {"decode": "warn"}}))
        assert delivery.warnings == ["Pictures or sounds of the video are damaged"]
        assert list(delivery.artifacts) == NAMES

    @pytest.mark.parametrize(("clip", "passed"), [("hushed", False), ("plain", True), ("silent", False)])
    def test_silence_where_sound_was_ordered(
        self, job: Job, clips: Callable[[str], Path], clip: str, passed: bool
    ) -> None:
        job.server.script = [serve(clips(clip).read_bytes())]
        delivery = job.deliver(expected=Expected(audio=True))
        assert next(gate.passed for gate in delivery.gates if gate.gate == "silent") is passed
        assert len(delivery.warnings) == (not passed)


class TestDisk:
    def test_a_scratch_folder_that_is_missing(self, job: Job, tmp_path: Path) -> None:
        with pytest.raises(StorageError, match="scratch"):
            job.deliver(settings=replace(job.settings, scratch_dir=str(tmp_path / "missing")))

    def test_a_destination_that_cannot_be_written(self, job: Job) -> None:
        job.folder.write_bytes(b"a file in the way")
        with pytest.raises(StorageError):
            job.deliver()


@pytest.mark.scenario(40)
def test_a_run_killed_while_rendering_leaves_whole_files_and_loads_nothing_again(job: Job, tmp_path: Path) -> None:
    slow = program(
        tmp_path / "ffmpeg", 'case "$*" in *poster.jpg*) touch "$0.busy"; exec sleep 60;; esac\nexec REAL "$@"'
    )
    Path(slow).write_text(Path(slow).read_text().replace("REAL", find_binaries().ffmpeg))
    code = (
        "import sys, pathlib\n"
        "from airflow_provider_klingvideo.media import deliver, MediaSettings\n"
        "host, url, folder, ffmpeg, scratch = sys.argv[1:]\n"
        "settings = MediaSettings(\n"
        "    allowed_private_hosts=frozenset({host}), ffmpeg_path=ffmpeg, scratch_dir=scratch)\n"
        "deliver(lambda: url, pathlib.Path(folder), settings=settings)\n"
    )
    scratch = tmp_path / "killed"
    scratch.mkdir()
    arguments = [job.server.host, job.server.url, str(job.folder), slow, str(scratch)]
    process = subprocess.Popen([sys.executable, "-c", code, *arguments])
    deadline = time.monotonic() + 30
    while not Path(f"{slow}.busy").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    process.wait(10)
    assert job.stored() == {"source.mp4": job.body}
    assert list(job.deliver().artifacts) == NAMES
    assert job.downloads == 1


KILLED = """
import sys, pathlib
from airflow_provider_klingvideo.media import MediaSettings, RenderPlan, deliver
host, url, folder, scratch = sys.argv[1:]
settings = MediaSettings(allowed_private_hosts=frozenset({host}), scratch_dir=scratch, threads=1)
slow = {"preset": "av1", "width": 1920, "fps": 60, "encoder_preset": "slow"}
plan = RenderPlan.parse(["master", "poster", "hls", slow])
report = lambda done: print(done, flush=True)
deliver(lambda: url, pathlib.Path(folder), settings=settings, plan=plan, on_progress=report)
"""


@pytest.mark.scenario(40)
@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
def test_a_run_killed_while_encoding_leaves_neither_ffmpeg_nor_half_a_file(job: Job, tmp_path: Path) -> None:
    scratch = tmp_path / "killed"
    scratch.mkdir()
    arguments = [job.server.host, job.server.url, str(job.folder), str(scratch)]
    process = subprocess.Popen([sys.executable, "-c", KILLED, *arguments], stdout=subprocess.PIPE)
    assert process.stdout
    assert process.stdout.readline()
    (encoder,) = processes_that_name(str(scratch), besides=process.pid)
    process.kill()
    process.wait(10)
    process.stdout.close()
    deadline = time.monotonic() + 5
    while processes_that_name(str(scratch)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert encoder not in processes_that_name(str(scratch))
    assert job.stored() == {"source.mp4": job.body}


def processes_that_name(text: str, besides: int = 0) -> list[int]:
    """Processes, other than our own, whose command has this text."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if text.encode() in path.read_bytes() and int(path.parent.name) not in {besides, os.getpid()}:
                found.append(int(path.parent.name))
    return found


def test_progress_of_the_rendering_is_told(job: Job) -> None:
    seen: list[float] = []
    job.deliver(on_progress=seen.append)
    assert seen[-1] == pytest.approx(1, abs=0.05)


def test_everything_has_a_default(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="not a public address"):
        deliver(lambda: "http://127.0.0.1:9/v.mp4", tmp_path / "out")


@given(
    st.builds(
        Artifact,
        name=st.text(),
        path=st.text(),
        size=st.integers(0),
        sha256=st.text("0123456789abcdef", min_size=64, max_size=64),
        media_type=st.just("video/mp4"),
        width=st.none() | st.integers(1, 9999),
        duration=st.none() | st.floats(0, 1e6),
    )
)
def test_artifacts_survive_json_and_later_versions(artifact: Artifact) -> None:
    import json

    data = json.loads(json.dumps(artifact.to_json()))
    assert Artifact.from_json({**data, "added_later": 1}) == artifact


@pytest.mark.airflow
def test_a_delivery_to_object_storage(job: Job) -> None:
    from airflow.sdk import ObjectStoragePath

    folder = ObjectStoragePath(f"file://{job.folder}")
    first = deliver(job.fetch_url, folder, settings=job.settings)
    assert sorted(job.stored()) == sorted(NAMES)
    assert first.artifacts["source.mp4"].path == str(folder / "source.mp4")
    assert deliver(job.fetch_url, folder, settings=job.settings, recorded=first.artifacts) == first
    assert job.downloads == 1
