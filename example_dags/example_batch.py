"""Every night, make the videos that a CSV or JSONL file asks for, one mapped job per row.

The file lies at any path that Airflow's object storage reaches; its columns are the parts of a request.
"""

from __future__ import annotations

from typing import Any

import pendulum
from airflow.sdk import DAG, Param, task

from airflow_provider_klingvideo.task_groups.klingvideo import kling_video_workflow

with DAG(
    dag_id="klingvideo_batch",
    schedule="@daily",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    params={
        "source": Param(
            "file:///opt/airflow/prompts.csv",
            type="string",
            title="File",
            description="CSV with a header, or JSONL: s3://connection@bucket/prompts.csv, file:///...",
        )
    },
    tags=["klingvideo", "example"],
    doc_md=__doc__,
) as dag:
    # [START batch]
    @task
    def requests(source: str) -> list[dict[str, Any]]:
        """Read the file when the run starts."""
        from airflow.sdk import ObjectStoragePath

        from airflow_provider_klingvideo.workflow.rows import read_requests

        path = ObjectStoragePath(source)
        return read_requests(path.read_text(), path.name)

    kling_video_workflow.partial(group_id="videos", max_failed_share=0.1).expand(
        request=requests("{{ params.source }}")
    )
    # [END batch]
