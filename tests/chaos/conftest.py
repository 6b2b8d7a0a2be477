"""One Airflow in parts for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .evidence import Evidence
from .parts import AirflowParts, Sandbox
from .postgres import Postgres


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("chaos")


@pytest.fixture(scope="session")
def database() -> Iterator[Postgres]:
    with Postgres() as server:
        yield server


@pytest.fixture(scope="session")
def sandbox_process(folder: Path) -> Iterator[Sandbox]:
    with Sandbox(folder) as process:
        yield process


@pytest.fixture
def sandbox(sandbox_process: Sandbox) -> Sandbox:
    sandbox_process.reset()
    return sandbox_process


@pytest.fixture(scope="session")
def running_parts(folder: Path, database: Postgres, sandbox_process: Sandbox) -> Iterator[AirflowParts]:
    with AirflowParts(folder, database.url, sandbox_process.url) as running:
        yield running


@pytest.fixture
def parts(running_parts: AirflowParts, sandbox: Sandbox) -> Iterator[AirflowParts]:
    yield running_parts
    running_parts.mend()


@pytest.fixture
def evidence(parts: AirflowParts, sandbox: Sandbox) -> Evidence:
    return Evidence(parts, sandbox)
