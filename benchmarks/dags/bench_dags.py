"""The DAGs of the benchmarks: the same rows in all granularities."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param

from airflow_provider_klingvideo.task_groups.batch import kling_video_batch


def bench_dag(mode: str, chunk_size: int) -> DAG:
    """Make the DAG of one mode."""
    params = {"rows": Param("", type="string")}
    # Of a thousand mapped rows a few hundred at a time: Airflow expands, and looks through, all that is running.
    with DAG(f"bench_{mode}", schedule=None, params=params, max_active_tasks=64, max_active_runs=3) as dag:
        kling_video_batch(
            "{{ params.rows }}",
            mode=mode,
            chunk_size=chunk_size,
            group_id="videos",
            # What has begun goes on first, as one would set it for so many mapped tasks.
            default_args={"retry_delay": timedelta(seconds=5), "weight_rule": "upstream"},
        )
    return dag


compact = bench_dag("compact", 50)
mapped = bench_dag("mapped", 50)
single = bench_dag("single", 50)
