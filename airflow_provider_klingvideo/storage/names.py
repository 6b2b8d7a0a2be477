"""Names that are the same on every try: of a job, and of the folders it lies in."""

from __future__ import annotations

import hashlib
import re

_UNSAFE = re.compile(r"[^A-Za-z0-9._=@-]+")
_LONGEST_NAME = 120
_LONGEST_KEY = 40


def safe_name(text: str) -> str:
    """Make a file name of a text: portable characters only, no leading dot, of bounded length, never empty."""
    name = _UNSAFE.sub("_", text).lstrip(".")
    return name[:_LONGEST_NAME] or "_"


def job_id(dag_id: str, run_id: str, key: str, map_index: int) -> str:
    """Name a job after its place in Airflow; the try does not matter.

    :param key: tells several jobs of one run apart; for a task group its id.
    :param map_index: -1 outside mapped tasks.
    """
    identity = "\0".join([dag_id, run_id, key, str(map_index)])
    digest = hashlib.sha256(identity.encode()).hexdigest()[:12]
    index = f"-{map_index}" if map_index >= 0 else ""
    return f"{safe_name(key)[:_LONGEST_KEY]}{index}-{digest}"
