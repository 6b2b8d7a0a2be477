"""Settings that must be made before Airflow is imported anywhere."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

import pytest
from hypothesis import settings

# Each worker process of a parallel run gets a home, and with it a database, of its own.
if "AIRFLOW_HOME" not in os.environ or "PYTEST_XDIST_WORKER" in os.environ:
    home = tempfile.mkdtemp(prefix="klingvideo-tests-")
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    os.environ["AIRFLOW_HOME"] = home

os.environ.setdefault("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
os.environ.setdefault("AIRFLOW__CORE__UNIT_TEST_MODE", "False")

from s3_storage import bucket, s3_server, seaweed_bucket, seaweed_server  # noqa: F401 - fixtures

# How long an example takes says more about the machine than about the product.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

# What is shown in every form of a video or batch takes an Airflow and minutes: `make test` runs a few forms and rows,
# `make test-forms` the others. Tests that are marked so themselves run there alone.
IN_EVERY_FORM = {"forms_dag", "rows_dag", "connection_dag", "signed_inputs_dag", "running_airflow"}
QUICK = {
    "form": {"group", "compact", "operator", "single", "rows_compact", "one_task"},
    "fault": {"fails_at_kling", "answer_lost"},
    "mode": {"compact", "single"},
    "monster": {"words"},
    "way": {"branch"},
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        parameters = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
        if not {"form", "mode"} & parameters.keys() or item.path.stem.removeprefix("test_") not in IN_EVERY_FORM:
            continue
        if any(parameters[name] not in values for name, values in QUICK.items() if name in parameters):
            item.add_marker("forms")
