"""What a test of this folder asks for, and what it looks at in the end."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from airflow_provider_klingvideo.storage.names import safe_name
from airflow_provider_klingvideo.workflow import WorkflowJob, WorkflowState

from .parts import AirflowParts, Sandbox

S = WorkflowState
WAY = (S.CREATED, S.VALIDATED, S.QUEUED, S.GENERATING, S.POST_PROCESSING, S.COMPLETED)


def request(number: int, words: str = "") -> dict[str, Any]:
    """Return a request whose prompt carries a number.

    :param words: behind it, for example ``[sandbox:slow=20]``.
    """
    return {"prompt": f"A red fox #{number:03} {words}".strip(), "model": "kling-2.5-turbo"}


class Evidence:
    """The ledger of Kling and the records and files of the jobs.

    :param parts: the running Airflow.
    :param sandbox: the running sandbox.
    """

    def __init__(self, parts: AirflowParts, sandbox: Sandbox) -> None:
        self._parts = parts
        self._sandbox = sandbox

    def jobs(self, dag_id: str, run_id: str) -> list[WorkflowJob]:
        """Return the records of a run."""
        folder = self._parts.airflow.videos / safe_name(dag_id) / safe_name(run_id)
        return [WorkflowJob.model_validate_json(path.read_text()) for path in sorted(folder.glob("*/job.json"))]

    def require_completed(self, dag_id: str, run_ids: Iterable[str], count: int) -> None:
        """Require that so many jobs ended with one paid task, a video, and files that are what the record says."""
        runs = {run_id: self.jobs(dag_id, run_id) for run_id in run_ids}
        jobs = [job for found in runs.values() for job in found]
        assert Counter(tuple(job.path) for job in jobs) == {WAY: count}
        paid = Counter(task["external_id"] for task in self._sandbox.ledger()["tasks"])
        assert paid == Counter(job.external_task_id for job in jobs)
        assert all([one.task_id for one in job.submissions] == [job.klingai_job_id] for job in jobs)
        self.require_files(dag_id, runs)

    def require_files(self, dag_id: str, run_ids: Iterable[str]) -> None:
        """Require that the files of the jobs of some runs are there, and what the records say."""
        base = self._parts.airflow.videos / safe_name(dag_id)
        found = ((base / safe_name(run_id) / job.id, job) for run_id in run_ids for job in self.jobs(dag_id, run_id))
        assert not [fault for folder, job in found for fault in _faults(folder, job)]


def _faults(folder: Path, job: WorkflowJob) -> list[str]:
    artifacts = job.files.artifacts
    faults = [] if "master.mp4" in artifacts else [f"{job.id} has no master"]
    for name, artifact in artifacts.items():
        path = folder / name
        content = path.read_bytes() if path.exists() else b""
        if hashlib.sha256(content).hexdigest() != artifact["sha256"]:
            faults.append(f"{path} is not what {json.dumps(artifact)} says")
    return faults
