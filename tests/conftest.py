"""Settings that must be made before Airflow is imported anywhere, and which tests must not run side by side."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

import pytest

# Each worker process of a parallel run gets a home, and with it a database, of its own.
if "AIRFLOW_HOME" not in os.environ or "PYTEST_XDIST_WORKER" in os.environ:
    home = tempfile.mkdtemp(prefix="klingvideo-tests-")
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    os.environ["AIRFLOW_HOME"] = home

os.environ.setdefault("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
os.environ.setdefault("AIRFLOW__CORE__UNIT_TEST_MODE", "False")


# Before pytest-xdist reads the groups.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a file in one process, for the fixtures, and all that run an Airflow in the same one."""
    for item in items:
        group = "live" if item.get_closest_marker("live") else item.path.name
        item.add_marker(pytest.mark.xdist_group(group))
