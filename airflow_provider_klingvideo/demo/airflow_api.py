"""The few calls of Airflow's public API that the demonstration makes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import httpx

from airflow_provider_klingvideo.demo.processes import DemoError, Server

PARSE_SECONDS = 300.0
PATIENCE_SECONDS = 180.0


class AirflowApi:
    """A client of ``/api/v2``, where every user is an administrator.

    :param base_url: Airflow's address.
    :param timeout: seconds that an answer may take.
    :param patience: seconds for which what has to be done is sent again.
    """

    def __init__(self, base_url: str, *, timeout: float = 30, patience: float = PATIENCE_SECONDS) -> None:
        # It is on this machine: no proxy of the environment leads there.
        self._http = httpx.Client(base_url=base_url, timeout=timeout, trust_env=False)
        self._patience = patience

    def wait_for_dag(self, dag_id: str, servers: Sequence[Server] = ()) -> None:
        """Wait until Airflow has read a DAG.

        :param servers: what has to run meanwhile.
        :raises DemoError: when it cannot be read, or is not within five minutes, or a server has ended.
        """
        end = time.monotonic() + PARSE_SECONDS
        while time.monotonic() < end:
            for server in servers:
                server.ensure_running()
            found = self._answer("GET", f"/api/v2/dags/{dag_id}")
            if found is not None and found.status_code == httpx.codes.OK:
                return
            told = self._answer("GET", "/api/v2/importErrors")
            if told is not None and told.is_success and (errors := told.json().get("import_errors")):
                raise DemoError(f"Airflow cannot read the DAG: {errors[0]['stack_trace']}")
            time.sleep(1)
        raise DemoError(f"Airflow did not find the DAG {dag_id} within {PARSE_SECONDS:.0f} s.")

    def unpause(self, dag_id: str) -> None:
        """Let runs of a DAG start."""
        self._call("PATCH", f"/api/v2/dags/{dag_id}", {"is_paused": False})

    def trigger(self, dag_id: str, run_id: str, conf: dict[str, Any]) -> str:
        """Start a run and return its id; one of this id that is there already is the one that was wanted."""
        body = {"dag_run_id": run_id, "logical_date": None, "conf": conf}
        self._call("POST", path := f"/api/v2/dags/{dag_id}/dagRuns", body, fine=(httpx.codes.CONFLICT,))
        # Airflow may answer before its database has the run.
        self._call("GET", f"{path}/{run_id}", again=(httpx.codes.NOT_FOUND,))
        return run_id

    def run_state(self, dag_id: str, run_id: str) -> str:
        """Return the state of a run; ``unknown`` while Airflow is too busy to tell."""
        answer = self._answer("GET", path := f"/api/v2/dags/{dag_id}/dagRuns/{run_id}")
        if answer is None:
            return "unknown"
        return str(_told(answer, "GET", path)["state"])

    def _call(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        fine: Sequence[int] = (),
        again: Sequence[int] = (),
    ) -> None:
        """Send until Airflow answers: what is sent here may be sent twice.

        :param fine: errors that are as good as success.
        :param again: errors after which it is sent again.
        """
        end = time.monotonic() + self._patience
        while True:
            answer = self._answer(method, path, body)
            if answer is not None and answer.status_code not in again:
                if answer.status_code not in fine:
                    _told(answer, method, path)
                return
            if time.monotonic() > end:
                raise DemoError(f"Airflow did not answer {method} {path} within {self._patience:.0f} s.")
            time.sleep(1)

    def _answer(self, method: str, path: str, body: dict[str, Any] | None = None) -> httpx.Response | None:
        """Return the answer, None where Airflow is too busy to give one."""
        try:
            answer = self._http.request(method, path, json=body)
        except httpx.TransportError:
            return None
        return None if answer.is_server_error else answer


def _told(answer: httpx.Response, method: str, path: str) -> dict[str, Any]:
    if answer.is_error:
        raise DemoError(f"Airflow answered {answer.status_code} to {method} {path}: {answer.text[:300]}")
    return dict(answer.json())
