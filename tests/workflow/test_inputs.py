"""Inputs from files and other jobs, and batch files."""

from __future__ import annotations

import base64
import os
import struct
import subprocess
import zlib
from pathlib import Path
from typing import Literal

import pytest

from airflow_provider_klingvideo.kling import ApiFamily, InvalidRequestError, parse_request
from airflow_provider_klingvideo.kling.products.base import GenerationRequest, Video
from airflow_provider_klingvideo.media import find_binaries
from airflow_provider_klingvideo.workflow import JobStore, WorkflowJob
from airflow_provider_klingvideo.workflow.inputs import reader as reading
from airflow_provider_klingvideo.workflow.inputs.creation import request_of
from airflow_provider_klingvideo.workflow.inputs.reader import (
    MEGABYTE,
    PICTURES,
    InputReader,
    inline_media,
    without_inline_media,
)
from airflow_provider_klingvideo.workflow.inputs.references import LAST_FRAME
from airflow_provider_klingvideo.workflow.job.errors import InputError
from airflow_provider_klingvideo.workflow.ordering.submission import fingerprint

NEW, LEGACY = ApiFamily.NEW, ApiFamily.LEGACY


def png(width=400, height=400, size=0):
    """A header that says how large the picture is, which is all that is read of it; padded to a size in bytes."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", len(header)) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    return (b"\x89PNG\r\n\x1a\n" + chunk).ljust(size, b"\0")


def reader(video_of=lambda job: f"https://cdn.example.org/{job.klingai_job_id}.mp4?sig=1"):
    return InputReader(Path, JobStore, video_of)


class Dance(GenerationRequest):
    """A request that takes a video."""

    kind: Literal["dance"] = "dance"
    video: Video


def from_picture(path, **fields):
    return parse_request({"first_frame": str(path), "model": "kling-3.0", **fields})


def test_a_path_becomes_raw_base64_and_a_url_stays(tmp_path):
    picture = tmp_path / "a.png"
    picture.write_bytes(png())
    read = reader().read(from_picture(picture, last_frame="https://example.org/b.jpg"), NEW)
    assert base64.b64decode(read.request.first_frame) == picture.read_bytes()
    assert (read.request.last_frame, read.request.duration) == ("https://example.org/b.jpg", 5)
    assert read.identity == read.request


@pytest.mark.scenario(3)
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "there is no file"),
        (b"", "no file of type png or jpg"),
        (b"GIF89a" + b"x" * 20, "no file of type png or jpg"),
        (png(size=10 * MEGABYTE + 1), "at most 10 MB"),
        (png(299, 400), "has 299 x 400 pixels .legal: each side must have 300"),
        (png(1001, 400), "the longer side may be at most 2.5 times the shorter one"),
        (png()[:20], "the size of the picture cannot be read"),
    ],
    ids=["missing", "empty", "gif", "large", "small", "narrow", "torn"],
)
def test_a_bad_picture_is_told_with_its_name(tmp_path, content, words):
    picture = tmp_path / "a.png"
    if content is not None:
        picture.write_bytes(content)
    with pytest.raises(InputError, match=words) as caught:
        reader().read(from_picture(picture), LEGACY)
    assert "a.png" in str(caught.value)


@pytest.mark.parametrize("brand", ["mp42", "isom", "M4B ", "dash", "3gp4"])
def test_a_recording_of_any_brand_is_sound(tmp_path, brand):
    face, voice = tmp_path / "face.png", tmp_path / "voice.m4a"
    face.write_bytes(png())
    sine = ["-f", "lavfi", "-i", "sine=duration=3", "-c:a", "aac", "-f", "mp4", "-brand", brand, str(voice)]
    subprocess.run([find_binaries().ffmpeg, "-loglevel", "error", *sine], check=True, timeout=60)
    asked = parse_request({"kind": "avatar", "image": str(face), "sound": str(voice)})
    assert base64.b64decode(reader().read(asked, LEGACY).request.sound) == voice.read_bytes()


def test_an_unreadable_picture_may_be_tried_again(tmp_path, monkeypatch):
    picture = tmp_path / "a.png"
    picture.write_bytes(b"x")

    def refuse(*_):
        raise OSError("the store is away")

    monkeypatch.setattr(reading, "read_bounded", refuse)
    with pytest.raises(InputError, match="cannot be read") as caught:
        reader().read(from_picture(picture), NEW)
    assert caught.value.retryable


def test_a_folder_is_no_picture(tmp_path):
    with pytest.raises(InputError, match="first_frame: it is a folder") as caught:
        reader().read(from_picture(tmp_path), NEW)
    assert not caught.value.retryable


def test_the_new_generation_takes_larger_pictures():
    assert PICTURES[NEW].max_bytes > PICTURES[LEGACY].max_bytes


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    source = ["-f", "lavfi", "-i", "testsrc2=size=640x360:duration=0.5", "-pix_fmt", "yuv420p", str(path)]
    subprocess.run([find_binaries().ffmpeg, "-loglevel", "error", *source], check=True, timeout=60)
    return path


class TestLastFrames:
    def test_the_last_frame_is_sent_and_the_video_is_what_it_is_recognised_by(self, video):
        read = reader().read(from_picture(f"{video}{LAST_FRAME}"), NEW)
        assert base64.b64decode(read.request.first_frame).startswith(b"\xff\xd8\xff")
        assert read.identity.first_frame.endswith(LAST_FRAME)
        assert len(read.identity.first_frame) < 100

    def test_a_file_that_is_no_video_is_told(self, tmp_path):
        (tmp_path / "a.mp4").write_bytes(b"<html>")
        with pytest.raises(InputError, match="no last frame that can be taken"):
            reader().read(from_picture(f"{tmp_path / 'a.mp4'}{LAST_FRAME}"), NEW)


class TestVideosOfOtherJobs:
    def request(self, path):
        return Dance(video=str(path))

    def stored(self, folder, **fields):
        job = WorkflowJob(id="job-1", prompt="x", **fields)
        JobStore(folder).save(job)
        (folder / "job-1" / "master.mp4").write_bytes(b"")
        return folder / "job-1" / "master.mp4"

    def test_the_vendor_is_given_a_fresh_address_of_its_own_video(self, tmp_path):
        request = self.request(self.stored(tmp_path, klingai_job_id="77"))
        sent = [
            reader(lambda job, sign=sign: f"https://cdn/{job.klingai_job_id}?{sign}").read(request, NEW)
            for sign in "ab"
        ]
        assert [one.request.video for one in sent] == ["https://cdn/77?a", "https://cdn/77?b"]
        assert fingerprint(sent[0].identity) == fingerprint(sent[1].identity)

    def test_a_job_without_a_video_is_told(self, tmp_path):
        with pytest.raises(InputError, match="job job-1 has no video; it is CREATED"):
            reader().read(self.request(self.stored(tmp_path)), NEW)

    def test_a_file_that_is_no_jobs_is_told(self, tmp_path):
        (tmp_path / "mine.mp4").write_bytes(b"")
        with pytest.raises(InputError, match="videos by URL only"):
            reader().read(self.request(tmp_path / "mine.mp4"), NEW)

    def test_a_record_that_is_none_is_told(self, tmp_path):
        (tmp_path / "job.json").write_text("{}x")
        with pytest.raises(InputError, match="is no job record"):
            reader().read(self.request(tmp_path / "job.json"), NEW)


@pytest.mark.parametrize(
    ("value", "is_inline"),
    [
        ("data:image/png;base64,AAAA", True),
        ("A" * 2000, True),
        ("s3://b/a.png", False),
        ("https://e.org/" + "a" * 1100, False),
        ("\u72d0" * 2000, False),
    ],
)
def test_a_file_itself_is_told_from_its_address_wherever_it_lies(value, is_inline):
    params = {"first_frame": value, "reference_images": [{"url": value, "id": "a"}]}
    assert inline_media(params) == (["first_frame", "reference_images.0.url"] if is_inline else [])
    kept = "data:" if is_inline else value
    assert without_inline_media(params) == {"first_frame": kept, "reference_images": [{"url": kept, "id": "a"}]}


@pytest.mark.parametrize("last_frame_of", ["", LAST_FRAME], ids=["picture", "last frame"])
@pytest.mark.parametrize("sort", ["device", "named pipe"])
def test_only_regular_files_are_inputs(tmp_path, sort, last_frame_of):
    path = tmp_path / "a.png"
    make = {"device": lambda: path.symlink_to("/dev/zero"), "named pipe": lambda: os.mkfifo(path)}
    make[sort]()
    with pytest.raises(InputError, match=f"first_frame: .*it is a {sort}") as told:
        reader().read(from_picture(f"{path}{last_frame_of}"), NEW)
    assert not told.value.retryable


@pytest.mark.parametrize("prompt", ["None", " nan ", "null", "#N/A"])
def test_a_prompt_that_stands_for_no_value_is_refused(prompt):
    with pytest.raises(InvalidRequestError, match="stands for no value"):
        request_of(prompt, {})
