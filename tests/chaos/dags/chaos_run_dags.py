"""The DAGs of the seeded run: ours and the baseline, over the same requests."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param, get_current_context, task
from chaos import points
from chaos.naive import NaiveVideoOperator

from airflow_provider_klingvideo.task_groups.batch import kling_video_batch
from airflow_provider_klingvideo.task_groups.klingvideo import kling_video_workflow

points.install()

RETRIES = {"retries": 6, "retry_delay": timedelta(seconds=1), "retry_exponential_backoff": 2.0}
# As patient, a minute in all, with fewer tries: each may cost a video.
NAIVE_RETRIES = {**RETRIES, "retries": 3, "retry_delay": timedelta(seconds=8)}
# What has begun goes on first: at any time there are videos in every state.
DEPTH_FIRST = {"weight_rule": "upstream"}
GENERATION_SECONDS = 60
PARAMS = {"requests": Param([], type="array"), "folder": Param("", type="string")}


@task(**RETRIES)
def the_requests() -> list:
    """Take the requests from the run's conf."""
    return get_current_context()["params"]["requests"]


with DAG("seeded", schedule=None, params=PARAMS) as seeded:
    kling_video_workflow.partial(
        group_id="videos", default_args={**RETRIES, **DEPTH_FIRST}, generation_timeout=GENERATION_SECONDS
    ).expand(request=the_requests())

with DAG("seeded_compact", schedule=None, params=PARAMS, render_template_as_native_obj=True) as seeded_compact:
    kling_video_batch(
        "{{ params.requests }}",
        group_id="videos",
        chunk_size=50,
        # A task dies as often as its fifty videos do.
        default_args={"retries": 60, "retry_delay": timedelta(seconds=1), "max_retry_delay": timedelta(seconds=5)},
        generation_timeout=GENERATION_SECONDS,
    )

with DAG("seeded_naive", schedule=None, params=PARAMS) as seeded_naive:
    NaiveVideoOperator.partial(
        task_id="video", folder="{{ params.folder }}", timeout=GENERATION_SECONDS, **NAIVE_RETRIES
    ).expand(request=the_requests())
