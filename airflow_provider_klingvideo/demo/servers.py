"""The sandbox and Airflow as child processes, with the settings that make them quick and keep them on this machine."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from airflow_provider_klingvideo.demo.processes import Server, own_script


def sandbox_server(
    folder: Path, url: str, options: Sequence[str] = (), *, environment: Mapping[str, str] | None = None
) -> Server:
    """Start a sandbox.

    :param folder: its log goes there.
    :param url: ``http://127.0.0.1:PORT``.
    :param options: further options of its command line.
    :param environment: further variables.
    """
    port = url.rpartition(":")[2]
    command = [sys.executable, "-m", "airflow_provider_klingvideo.cli", "sandbox", "--port", port, *options]
    return Server("The sandbox", command, f"{url}/sandbox/health", folder / "sandbox.log", environment or {})


def airflow_server(folder: Path, url: str, sandbox_url: str, *, environment: Mapping[str, str] | None = None) -> Server:
    """Start all of Airflow on its embedded database, for this machine alone, every visitor an administrator.

    :param folder: ``dags`` below it is read, ``videos`` and ``airflow`` are written.
    :param url: ``http://127.0.0.1:PORT``.
    :param sandbox_url: the address of the default connection.
    :param environment: further variables.
    """
    variables = {**airflow_environment(folder, url, sandbox_url), **(environment or {})}
    health = f"{url}/api/v2/monitor/health"
    return Server("Airflow", [own_script("airflow"), "standalone"], health, folder / "airflow.log", variables)


def airflow_environment(folder: Path, url: str, sandbox_url: str) -> dict[str, str]:
    """Return the settings of an Airflow for this machine alone, as environment variables.

    :param folder: ``dags`` below it is read, ``videos`` and ``airflow`` are written.
    :param url: ``http://127.0.0.1:PORT``.
    :param sandbox_url: the address of the default connection.
    """
    connection = {"conn_type": "klingai", "host": sandbox_url, "password": "sandbox-key"}
    return {
        # standalone starts its parts by the name alone.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW_CONN_KLINGAI_DEFAULT": json.dumps(connection),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": url.rpartition(":")[2],
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        # More worker processes than these lock each other out of SQLite.
        "AIRFLOW__CORE__PARALLELISM": "6",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
        # The sandbox is quicker than Kling.
        "AIRFLOW__KLINGVIDEO__POLL_MAX_SECONDS": "4",
        "AIRFLOW__KLINGVIDEO__POLL_MIN_SECONDS": "2",
        "AIRFLOW__KLINGVIDEO__OUTPUT_PATH": f"file://{folder / 'videos'}",
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3",
    }
