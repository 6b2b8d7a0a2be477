"""One Airflow for the runs that an old version began."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from airflow_home import QUICK, connection

DAG_FILES = Path(__file__).parent / "dag_files"


@pytest.fixture(scope="session")
def unread():
    """Make the database; return the folders that ``dag.test()`` has not read into it yet."""
    script = str(Path(sys.executable).with_name("airflow"))
    subprocess.run([script, "db", "migrate"], check=True, capture_output=True, timeout=180)
    return [DAG_FILES]


@pytest.fixture
def quick(monkeypatch):
    """Make waits short."""
    for name, value in QUICK.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def dags(unread, quick, monkeypatch, tmp_path_factory):
    """Return the DAGs by their ids."""
    from airflow import settings

    # Every run reads the whole folder; the first test does so, the others find an empty one.
    folder = unread.pop() if unread else tmp_path_factory.mktemp("no-dags")
    # Airflow has read its setting when it was imported, perhaps by other tests.
    monkeypatch.setattr(settings, "DAGS_FOLDER", str(folder))
    monkeypatch.syspath_prepend(DAG_FILES)
    from klingvideo_upgrade import DAGS

    return DAGS


@pytest.fixture
def load(quick, monkeypatch, tmp_path):
    """Load fixtures: ``load(fixture, left=...)``; connection and output path are those of the last one."""
    from contextlib import ExitStack

    with ExitStack() as stack:

        def loaded(fixture, **options):
            folder = tmp_path / f"{fixture.name}-{len(list(tmp_path.iterdir()))}"
            folder.mkdir()
            found = stack.enter_context(fixture.loaded(folder, **options))
            settings = {"extra": fixture.about["connection"]}
            monkeypatch.setenv("AIRFLOW_CONN_KLINGAI_DEFAULT", connection(found.sandbox.url, **settings))
            monkeypatch.setenv("AIRFLOW__KLINGVIDEO__OUTPUT_PATH", f"file://{found.videos}")
            return found

        yield loaded
