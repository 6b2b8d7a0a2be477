"""Settings of these tests."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import settings

# How long an example takes says more about the machine than about the product.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

MEMORY = Path("/dev/shm")
ENOUGH_BYTES = 2 * 1024**3


def _use_memory() -> None:
    """Keep what tests write in memory, where there is enough of it: every record is flushed to the disk else."""
    if "TMPDIR" in os.environ or not MEMORY.is_dir() or shutil.disk_usage(MEMORY).free < ENOUGH_BYTES:
        return
    folder = tempfile.mkdtemp(prefix="klingvideo-tests-", dir=MEMORY)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["TMPDIR"] = tempfile.tempdir = folder


_use_memory()
