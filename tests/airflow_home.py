"""One Airflow for the tests of this process: database, DAG files, and the settings that make waits short."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

DAG_FILES = Path(__file__).parent / "dags" / "dag_files"

QUICK = {
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__DAGS_FOLDER": str(DAG_FILES),
    "AIRFLOW__KLINGVIDEO__POLL_MIN_SECONDS": "0.2",
    "AIRFLOW__KLINGVIDEO__POLL_MAX_SECONDS": "0.5",
    "AIRFLOW__KLINGVIDEO__SLOT_PAUSE_SECONDS": "0.3",
    # dag.test() runs triggers in line and has no scheduler that could miss a deferral.
    "AIRFLOW__KLINGVIDEO__MINIMUM_DEFERRAL_SECONDS": "0",
}


def migrate() -> None:
    """Make the database and read the DAG files into it."""
    script = str(Path(sys.executable).with_name("airflow"))
    for command in (["db", "migrate"], ["dags", "reserialize"]):
        subprocess.run([script, *command], check=True, capture_output=True, timeout=180)


def connection(url: str, **fields: object) -> str:
    """Return a connection to the sandbox as Airflow reads it from the environment."""
    import json

    return json.dumps({"conn_type": "klingai", "host": url, "password": "sandbox-key", **fields})


def set_quick_settings() -> None:
    """Make waits short for this process and its children."""
    os.environ.update(QUICK)
