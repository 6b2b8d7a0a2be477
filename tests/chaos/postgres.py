"""A throw-away PostgreSQL server.

.. code-block:: python

    with Postgres() as database:
        ...  # database.url
        database.crash()
        database.start()
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Self

from airflow_provider_klingvideo.demo.processes import DemoError, free_port

ACCOUNT = "postgres"
"""PostgreSQL refuses to run as root; its Debian package brings this account."""
BINARIES = Path("/usr/lib/postgresql")
DATABASE = "airflow"
OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "300",
    "shared_buffers": "256MB",
    # The workers of a killed scheduler hold its connections open, and with them what it had locked.
    "idle_in_transaction_session_timeout": "10s",
}


class Postgres:
    """One server with one empty database, on loopback, everything below one folder; it writes durably."""

    def __init__(self) -> None:
        self._binaries = _binaries()
        self._account = ACCOUNT if os.geteuid() == 0 else None
        self._port = free_port(0)
        # Below a folder of pytest the server's account may not go.
        self._folder = Path(tempfile.mkdtemp(prefix="klingvideo-postgres-"))
        if self._account:
            shutil.chown(self._folder, self._account)

    @property
    def url(self) -> str:
        """Where the database is, for SQLAlchemy with psycopg2."""
        return f"postgresql+psycopg2://{DATABASE}@127.0.0.1:{self._port}/{DATABASE}"

    def __enter__(self) -> Self:
        data = str(self._data)
        self._run("initdb", "-D", data, "-U", DATABASE, "-A", "trust", "-E", "UTF8", "--locale", "C", "--no-sync")
        self.start()
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self._port), "-U", DATABASE, DATABASE)
        return self

    def __exit__(self, *_: object) -> None:
        if (self._data / "postmaster.pid").exists():
            self.crash()
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(self) -> None:
        """Start the server, on the data that it has."""
        options = {**OPTIONS, "port": str(self._port), "unix_socket_directories": str(self._folder)}
        given = " ".join(f"-c {name}={value}" for name, value in options.items())
        self._run("pg_ctl", "-D", str(self._data), "-l", str(self._folder / "log"), "-o", given, "-w", "start")

    def crash(self) -> None:
        """Break every connection at once and end without a checkpoint, as after a loss of power."""
        self._run("pg_ctl", "-D", str(self._data), "-m", "immediate", "-w", "stop")

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _run(self, program: str, *arguments: str) -> None:
        options: dict[str, Any] = {"user": self._account, "group": self._account} if self._account else {}
        # The server inherits the streams of pg_ctl: with a pipe one would wait for its end.
        with (self._folder / f"{program}.log").open("wb") as log:
            done = subprocess.run(
                [str(self._binaries / program), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._folder,
                timeout=60,
                **options,
            )
        if done.returncode:
            raise DemoError(f"{program} failed: {Path(log.name).read_text(errors='replace')[-2000:]}")


def _binaries() -> Path:
    found = sorted(BINARIES.glob("*/bin"), key=lambda path: int(path.parent.name))
    if not found:
        raise DemoError("PostgreSQL is not installed.", advice="Install it: apt-get install postgresql")
    return found[-1]
