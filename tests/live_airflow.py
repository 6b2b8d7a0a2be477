"""What a person does in the UI of a running Airflow, by the API that the UI uses."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from airflow_provider_klingvideo.storage.names import job_id, safe_name
from airflow_provider_klingvideo.workflow import JobStore, WorkflowJob

# What has to come comes sooner; on a machine that others use, too, much later than on one of its own.
PATIENCE = 900.0
ENDED = {"success", "failed"}


@dataclass
class LiveAirflow:
    """A running Airflow where every visitor is an administrator.

    :param url: its address.
    :param videos: its ``[klingvideo] output_path``.
    """

    url: str
    videos: Path

    def call(self, method: str, path: str, **body: Any) -> Any:
        answer = httpx.request(method, f"{self.url}/api/v2{path}", json=body or None, timeout=60, trust_env=False)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def trigger(self, dag_id: str, run_id: str, **conf: Any) -> None:
        self.call("PATCH", f"/dags/{dag_id}", is_paused=False)
        self.call("POST", f"/dags/{dag_id}/dagRuns", dag_run_id=run_id, logical_date=None, conf=conf)

    def run_state(self, dag_id: str, run_id: str) -> str:
        return str(self.call("GET", f"/dags/{dag_id}/dagRuns/{run_id}")["state"])

    def ended(self, dag_id: str, run_id: str) -> str:
        until(lambda: self.run_state(dag_id, run_id) in ENDED, f"run {run_id} ends")
        return self.run_state(dag_id, run_id)

    def instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        return list(self.call("GET", f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances?limit=200")["task_instances"])

    def tasks(self, dag_id: str, run_id: str, map_index: int = -1, prefix: str = "video.") -> dict[str, str]:
        return {
            one["task_id"].removeprefix(prefix): one["state"]
            for one in self.instances(dag_id, run_id)
            if one["map_index"] == map_index and one["task_id"].startswith(prefix)
        }

    def set_state(self, dag_id: str, run_id: str, task_id: str, state: str) -> None:
        self.call("PATCH", f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}", new_state=state)

    def clear(self, dag_id: str, run_id: str, task_ids: list[str]) -> None:
        self.call(
            "POST",
            f"/dags/{dag_id}/clearTaskInstances",
            dag_run_id=run_id,
            task_ids=task_ids,
            dry_run=False,
            only_failed=False,
            reset_dag_runs=True,
            include_downstream=True,
        )

    def store(self, dag_id: str, run_id: str) -> JobStore:
        return JobStore(self.videos / safe_name(dag_id) / safe_name(run_id))

    def job(self, dag_id: str, run_id: str, map_index: int = -1, key: str = "video") -> WorkflowJob:
        found = self.store(dag_id, run_id).load(job_id(dag_id, run_id, key, map_index))
        assert found is not None
        return found


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for something that has to come."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"waited {PATIENCE:.0f} s in vain: {what}"
        time.sleep(0.5)
