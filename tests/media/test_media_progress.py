from __future__ import annotations

import logging

import pytest

from airflow_provider_klingvideo.media.ffmpeg.progress import Progress


def test_the_log_is_told_every_few_seconds(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    now, told = 0.0, list[float]()
    progress = Progress(20, told.append, clock=lambda: now)
    for step in range(41):
        now = step * 0.5
        progress(max(0.0, now - 5.5))
    assert told == [max(0.0, step * 0.5 - 5.5) / 20 for step in range(41)]
    assert [record.getMessage() for record in caplog.records] == [
        "Rendering: 0%",
        "Rendering: 22%, 0.45 times real time, 34 s left",
        "Rendering: 48%, 0.63 times real time, 17 s left",
        "Rendering: 72%, 0.72 times real time, 8 s left",
    ]


def test_more_than_all_is_all() -> None:
    told = list[float]()
    Progress(2, told.append)(3)
    assert told == [1]
