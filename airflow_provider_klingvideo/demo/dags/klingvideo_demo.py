"""The demonstration's batch: one mapped job per request of the run's conf."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, Param, get_current_context, task

from airflow_provider_klingvideo.task_groups.klingvideo import kling_video_workflow

with DAG(
    dag_id="klingvideo_demo",
    schedule=None,
    params={"requests": Param([], type="array", description="One request per video.")},
    tags=["klingvideo", "demo"],
    doc_md=__doc__,
) as dag:
    # On a machine that is just starting Airflow the first try may not come to run.
    @task(retries=2, retry_delay=timedelta(seconds=5))
    def requests() -> list[dict[str, Any]]:
        """Take the requests from the run's conf."""
        return list(get_current_context()["params"]["requests"])

    kling_video_workflow.partial(group_id="videos").expand(request=requests())
