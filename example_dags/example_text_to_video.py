"""Make one video from text: press Trigger and fill in the form."""

from __future__ import annotations

from airflow.sdk import DAG

from airflow_provider_klingvideo.params import (
    output_params,
    plan_from_params,
    request_from_params,
    text_to_video_params,
)
from airflow_provider_klingvideo.task_groups.klingvideo import kling_video_workflow

params = text_to_video_params()

with DAG(
    dag_id="klingvideo_text_to_video",
    schedule=None,
    params={**params, **output_params()},
    tags=["klingvideo", "example"],
    doc_md=__doc__,
) as dag:
    # [START text_to_video]
    kling_video_workflow(request=request_from_params(params, kind="text_to_video"), render_plan=plan_from_params())
    # [END text_to_video]
