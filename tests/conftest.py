"""Settings that must be made before Airflow is imported anywhere."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

# Each worker process of a parallel run gets a home, and with it a database, of its own.
if "AIRFLOW_HOME" not in os.environ or "PYTEST_XDIST_WORKER" in os.environ:
    home = tempfile.mkdtemp(prefix="klingvideo-tests-")
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    os.environ["AIRFLOW_HOME"] = home

os.environ.setdefault("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
os.environ.setdefault("AIRFLOW__CORE__UNIT_TEST_MODE", "False")

from s3_storage import bucket, s3_server, seaweed_bucket, seaweed_server  # noqa: F401 - fixtures
