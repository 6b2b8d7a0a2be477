"""Settings of these tests."""

from __future__ import annotations

import atexit
import multiprocessing.util
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from workshop import ClockedSandbox

from airflow_provider_klingvideo.sandbox import SandboxSettings
from airflow_provider_klingvideo.sandbox.drawing import render

MEMORY = Path("/dev/shm")
ENOUGH_BYTES = 2 * 1024**3


def _use_memory() -> None:
    """Keep what tests write in memory, where there is enough of it: every record is flushed to the disk else."""
    if "TMPDIR" in os.environ or not MEMORY.is_dir() or shutil.disk_usage(MEMORY).free < ENOUGH_BYTES:
        return
    # Its folder is removed last of all.
    multiprocessing.util.get_temp_dir()
    folder = tempfile.mkdtemp(prefix="kling-tests-", dir=MEMORY)
    # A test runs ffmpeg as another user.
    Path(folder).chmod(0o755)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["TMPDIR"] = tempfile.tempdir = folder


_use_memory()


@pytest.fixture(scope="session", autouse=True)
def clips_are_drawn_once():
    """Let sandboxes draw each clip once: it depends on what is asked for alone, and most tests ask for the same."""
    drawn, draw = {}, render.render

    def draw_once(clip, target, ffmpeg):
        key = (clip, target.suffix)
        if clip.image is None and key in drawn:
            part = target.with_name(f".{target.name}.part")
            part.write_bytes(drawn[key])
            part.replace(target)
            return
        draw(clip, target, ffmpeg)
        drawn[key] = target.read_bytes()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(render, "render", draw_once)
        yield


@pytest.fixture(scope="session")
def quick_sandbox():
    """A sandbox for all modules that need no other one; each test resets it first."""
    settings = SandboxSettings(queue_seconds=0, generation_seconds=0.1, max_render_height=120)
    with ClockedSandbox(settings) as server:
        yield server
