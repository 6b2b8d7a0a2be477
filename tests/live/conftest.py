"""A running Airflow (scheduler, triggerer, dag processor, API server) against a running sandbox."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import httpx
import pytest
from airflow_home import DAG_FILES
from live_airflow import PATIENCE, LiveAirflow, until

from airflow_provider_klingvideo.demo.processes import free_port, running
from airflow_provider_klingvideo.demo.servers import airflow_server
from airflow_provider_klingvideo.sandbox import SandboxServer, SandboxSettings


@pytest.fixture(scope="session")
def live_sandbox() -> Iterator[SandboxServer]:
    with SandboxServer(SandboxSettings(queue_seconds=0, generation_seconds=3, max_render_height=120)) as server:
        yield server


@pytest.fixture
def sandbox(live_sandbox: SandboxServer) -> SandboxServer:
    live_sandbox.reset()
    return live_sandbox


@pytest.fixture(scope="session")
def live(live_sandbox: SandboxServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveAirflow]:
    folder = tmp_path_factory.mktemp("airflow")
    shutil.copytree(DAG_FILES, folder / "dags")
    url = f"http://127.0.0.1:{free_port(0)}"
    with running(airflow_server(folder, url, live_sandbox.url)) as server:
        server.wait_until_ready(PATIENCE)
        airflow = LiveAirflow(url, folder / "videos")
        for one in ("batch", "form_compact"):
            dag = f"{url}/api/v2/dags/{one}"
            until(lambda dag=dag: httpx.get(dag, trust_env=False).is_success, "Airflow reads the DAGs")
        airflow.call(
            "POST",
            "/connections",
            connection_id="klingai_elsewhere",
            conn_type="klingai",
            host=live_sandbox.url,
            password="sandbox-key",
        )
        yield airflow
