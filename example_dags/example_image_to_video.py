"""Bring a picture to life: press Trigger and give the picture's address."""

from __future__ import annotations

from airflow.sdk import DAG

from airflow_provider_klingvideo.params import image_to_video_params, request_from_params
from airflow_provider_klingvideo.task_groups.klingvideo import kling_video_workflow

params = image_to_video_params(first_frame="https://example.org/picture.png")

with DAG(
    dag_id="klingvideo_image_to_video",
    schedule=None,
    params=params,
    tags=["klingvideo", "example"],
    doc_md=__doc__,
) as dag:
    # [START image_to_video]
    kling_video_workflow(request=request_from_params(params, kind="image_to_video"))
    # [END image_to_video]
