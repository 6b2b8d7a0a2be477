"""One effect scene for many pictures: a mapped job per picture."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, Param, task

from airflow_provider_klingvideo.kling.catalogue.capabilities import registry
from airflow_provider_klingvideo.task_groups.klingvideo import kling_video_workflow

SCENES = sorted(one.name for one in registry().effect_scenes.values() if one.images == 1 and not one.is_gone)

with DAG(
    dag_id="klingvideo_effects",
    schedule=None,
    params={
        "scene": Param("birthday_board", type="string", enum=SCENES, title="Scene"),
        "pictures": Param(
            ["https://example.org/picture.png"],
            type="array",
            items={"type": "string", "minLength": 1},
            minItems=1,
            title="Pictures",
            description="One http(s) URL or path per line. JPG or PNG, 300 px or more.",
        ),
    },
    render_template_as_native_obj=True,
    tags=["klingvideo", "example"],
    doc_md=__doc__,
) as dag:
    # [START effects]
    @task
    def requests(scene: str, pictures: list[str]) -> list[dict[str, Any]]:
        """Write a request for each picture."""
        return [{"kind": "effect", "scene": scene, "images": [picture]} for picture in pictures]

    kling_video_workflow.partial(group_id="effects", max_failed_share=0.1).expand(
        request=requests("{{ params.scene }}", "{{ params.pictures }}")
    )
    # [END effects]
