"""The DAGs of the chaos tests: what they ask for comes from the run's conf."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param, get_current_context, task
from chaos import points

from airflow_provider_klingvideo.operators.video import KlingVideoOperator
from airflow_provider_klingvideo.task_groups.batch import kling_video_batch
from airflow_provider_klingvideo.task_groups.klingvideo import kling_video_workflow

points.install()

# The first retry comes at once, the last ones outlast a minute.
RETRIES = {"retries": 6, "retry_delay": timedelta(seconds=1), "retry_exponential_backoff": 2.0}
WORKFLOW = kling_video_workflow.partial(default_args=RETRIES, generation_timeout=300)


@task(**RETRIES)
def the_request() -> dict:
    """Take the request from the run's conf."""
    return get_current_context()["params"]["request"]


@task(**RETRIES)
def the_requests() -> list:
    """Take the requests from the run's conf."""
    return get_current_context()["params"]["requests"]


with DAG("single", schedule=None, params={"request": Param({}, type="object")}, max_active_runs=100) as single:
    WORKFLOW(request=the_request())

with DAG("each", schedule=None, params={"requests": Param([], type="array")}) as each:
    KlingVideoOperator.partial(task_id="video", generation_timeout=300, **RETRIES).expand(request=the_requests())

with DAG("batch", schedule=None, params={"requests": Param([], type="array")}, max_active_runs=100) as batch:
    # Airflow prefers tasks with much behind them: all jobs would be created before the first one is ordered.
    videos = WORKFLOW.partial(group_id="videos", default_args={**RETRIES, "weight_rule": "upstream"})
    videos.expand(request=the_requests())

with DAG("impatient", schedule=None, params={"request": Param({}, type="object")}) as impatient:
    WORKFLOW(request=the_request(), generation_timeout=60, default_args={**RETRIES, "retries": 1})

with DAG(
    "compact", schedule=None, params={"rows": Param([], type="array")}, render_template_as_native_obj=True
) as compact:
    kling_video_batch(
        "{{ params.rows }}", chunk_size=20, patience=1, group_id="videos", generation_timeout=300, default_args=RETRIES
    )
