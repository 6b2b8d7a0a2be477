"""An object store that refuses now and then: nothing is paid twice, and nothing half written gets a final name."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

import fsspec
import pytest
from airflow.sdk import ObjectStoragePath
from airflow.sdk.io import attach
from fsspec.implementations.local import LocalFileSystem
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from workshop import Workshop

from airflow_provider_klingvideo.sandbox import SandboxServer, SandboxSettings
from airflow_provider_klingvideo.workflow import JobStore, WorkflowJob, reopened
from airflow_provider_klingvideo.workflow import WorkflowState as S


class SlowDownError(Exception):
    """What an object store's own library may raise: no OSError."""


class ThrottledFileSystem(LocalFileSystem):
    """Files on the disk, behind a door that is shut for some of its operations."""

    protocol = ("throttled",)
    cachable = False
    operations = 0
    shut = range(0)
    error: type[Exception] = OSError

    @classmethod
    def behave(cls, shut, error):
        cls.operations, cls.shut, cls.error = 0, shut, error

    def _pass(self):
        cls = type(self)
        cls.operations += 1
        if cls.operations in cls.shut:
            raise cls.error("SlowDown: please reduce your request rate")

    def _open(self, path, mode="rb", **options):
        self._pass()
        return super()._open(path, mode, **options)

    def info(self, path, **options):
        self._pass()
        return super().info(path, **options)

    def ls(self, path, detail=False, **options):
        self._pass()
        return super().ls(path, detail, **options)

    def makedirs(self, path, exist_ok=False):
        self._pass()
        return super().makedirs(path, exist_ok=exist_ok)

    def mv(self, path1, path2, **options):
        self._pass()
        return super().mv(path1, path2, **options)

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(str(path).removeprefix("throttled://"))


@pytest.fixture(scope="module")
def server():
    fsspec.register_implementation("throttled", ThrottledFileSystem, clobber=True)
    attach("throttled", fs=ThrottledFileSystem())
    with SandboxServer(SandboxSettings(queue_seconds=0, generation_seconds=0.1, max_render_height=120)) as server:
        yield server


def tried_until_it_ends(workshop, tries=8):
    """What Airflow's retries do: each try goes on from what is on record."""
    for _ in range(tries):
        try:
            job = workshop.store.load("job-1") or WorkflowJob(id="job-1", prompt="A fox")
            if job.state in (S.FAILED, S.CANCELLED):
                # In Airflow a job fails for good only when all tries are used up.
                assert job.failure["retryable"] or job.failure["kind"] == "unexpected"
                workshop.store.archive(job)
                job = reopened(job, S(job.failure["state"]))
            job = workshop.process(job)
        except (OSError, SlowDownError):
            continue
        if job.state is S.COMPLETED:
            return job
    raise AssertionError(f"not completed after {tries} tries: {job.error}")


@pytest.mark.scenario(45)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    first=st.integers(1, 105), count=st.integers(1, 3), error=st.sampled_from([OSError, ConnectionError, SlowDownError])
)
def test_a_store_that_throttles_costs_tries_and_no_money(server, first, count, error):
    server.reset()
    with tempfile.TemporaryDirectory() as name:
        workshop = Workshop(server, Path(name))
        workshop.store = JobStore(ObjectStoragePath(f"throttled://{name}/run"))
        ThrottledFileSystem.behave(range(first, first + count), error)
        job = tried_until_it_ends(workshop)
        (task,) = server.ledger()["tasks"]
        assert job.klingai_job_id == task["id"]
        folder = Path(name) / "run" / "job-1"
        for name, artifact in job.files.artifacts.items():
            assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == artifact["sha256"]
        assert not [path.name for path in folder.iterdir() if path.name.startswith(".")]
