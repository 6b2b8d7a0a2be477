"""The few calls of Airflow's public API that the demonstration makes."""

from __future__ import annotations

import time
from typing import Any

import httpx

from airflow_provider_klingvideo.demo.processes import DemoError

PARSE_SECONDS = 120.0


class AirflowApi:
    """A client of ``/api/v2``, where every user is an administrator.

    :param base_url: Airflow's address.
    :param timeout: seconds that an answer may take.
    """

    def __init__(self, base_url: str, *, timeout: float = 30) -> None:
        self._http = httpx.Client(base_url=base_url, timeout=timeout)

    def wait_for_dag(self, dag_id: str) -> None:
        """Wait until Airflow has read a DAG.

        :raises DemoError: when it cannot be read, or is not within two minutes.
        """
        end = time.monotonic() + PARSE_SECONDS
        while time.monotonic() < end:
            if self._http.get(f"/api/v2/dags/{dag_id}").status_code == httpx.codes.OK:
                return
            errors = self._http.get("/api/v2/importErrors").json().get("import_errors", [])
            if errors:
                raise DemoError(f"Airflow cannot read the DAG: {errors[0]['stack_trace']}")
            time.sleep(1)
        raise DemoError(f"Airflow did not find the DAG {dag_id} within {PARSE_SECONDS:.0f} s.")

    def unpause(self, dag_id: str) -> None:
        """Let runs of a DAG start."""
        self._call("PATCH", f"/api/v2/dags/{dag_id}", {"is_paused": False})

    def trigger(self, dag_id: str, conf: dict[str, Any]) -> str:
        """Start a run and return its id."""
        return str(
            self._call("POST", f"/api/v2/dags/{dag_id}/dagRuns", {"logical_date": None, "conf": conf})["dag_run_id"]
        )

    def run_state(self, dag_id: str, run_id: str) -> str:
        """Return the state of a run; ``unknown`` while Airflow is too busy to tell."""
        try:
            return str(self._call("GET", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}")["state"])
        except httpx.TimeoutException:
            return "unknown"

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        answer = self._http.request(method, path, json=body)
        if answer.is_error:
            raise DemoError(f"Airflow answered {answer.status_code} to {method} {path}: {answer.text[:300]}")
        return dict(answer.json())
