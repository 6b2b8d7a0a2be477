"""Which clips a film is made of."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_klingvideo.media import Clip
from airflow_provider_klingvideo.workflow.films import clips_of
from airflow_provider_klingvideo.workflow.job.errors import InputError

MASTER = {"path": "/videos/1/master.mp4", "sha256": "a" * 64}
JOB = {"id": "job-1", "state": "COMPLETED", "metadata": {"artifacts": {"master.mp4": MASTER}}}


def test_jobs_and_paths_become_clips_in_their_order():
    assert clips_of(iter(["/a.mp4", JOB]), Path) == [
        Clip(Path("/a.mp4")),
        Clip(Path("/videos/1/master.mp4"), sha256="a" * 64, origin="job-1"),
    ]


@pytest.mark.parametrize(
    ("clips", "words"),
    [
        ([JOB, {**JOB, "state": "FAILED", "error": "Refused."}], r"Clip 2 is job job-1, which is FAILED: Refused\."),
        ([{**JOB, "state": "GENERATING"}], "Clip 1 is job job-1, which is GENERATING"),
        ([{**JOB, "metadata": {"artifacts": {"image-1.png": MASTER}}}], "Clip 1 is job job-1, which made no video"),
        ([JOB, None], "Clip 2 is null: the task that makes it has returned neither a job nor a path"),
        (["https://example.org/a.mp4"], "Clip 1 is an address of the web: load it into a store first"),
        ("a.mp4", "a list of jobs or paths, not str"),
        (JOB, "a list of jobs or paths, not dict"),
        (None, "a list of jobs or paths, not NoneType"),
    ],
)
def test_what_is_no_finished_video_is_named(clips, words):
    with pytest.raises(InputError, match=words):
        clips_of(clips, Path)
