"""Every night, make the videos that a file asks for: thousands of them with a few tasks, each row paid once.

The file lies at any path that Airflow's object storage reaches; its columns are the parts of a request, and ``key``
names a row. Run it again with an edited file: only what is new or changed is ordered, and what had failed.
"""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG, Param

from airflow_provider_klingvideo.task_groups.batch import kling_video_batch

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
            description="CSV with a header, JSONL, JSON or Parquet: s3://connection@bucket/prompts.csv, file:///...",
        ),
        "batch": Param(
            "catalogue",
            type="string",
            minLength=1,
            title="Batch",
            description="Runs of the same batch make only what is new, changed or had failed.",
        ),
    },
    tags=["klingvideo", "example"],
    doc_md=__doc__,
) as dag:
    # [START batch]
    kling_video_batch("{{ params.source }}", batch="{{ params.batch }}", group_id="videos", max_failed_share=0.1)
    # [END batch]
