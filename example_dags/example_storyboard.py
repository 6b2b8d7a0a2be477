"""A storyboard: several shots with one character, which is made of its pictures first."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, Param, task

from airflow_provider_klingvideo.task_groups.chaining import file_of, job_of, last_frame_of
from airflow_provider_klingvideo.task_groups.klingvideo import kling_video_workflow

with DAG(
    dag_id="klingvideo_storyboard",
    schedule=None,
    params={
        "looks": Param(
            "A friendly red fox with a green scarf, full body, plain background",
            type="string",
            format="multiline",
            minLength=1,
            title="Looks",
            description="How the character looks; a picture of it is made of these words.",
            section="Character",
        ),
        "shots": Param(
            ["@hero wakes up in a burrow", "@hero runs through fresh snow", "@hero looks at the stars"],
            type="array",
            items={"type": "string", "minLength": 1},
            minItems=1,
            title="Shots",
            description="One prompt per line; @hero is the character.",
            section="Story",
        ),
        "seconds": Param(5, type="integer", minimum=3, maximum=15, title="Seconds per shot", section="Story"),
    },
    render_template_as_native_obj=True,
    tags=["klingvideo", "example"],
    doc_md=__doc__,
) as dag:
    # [START storyboard]
    picture = kling_video_workflow(
        group_id="picture", request={"kind": "image", "prompt": "{{ params.looks }}", "resolution": "2k"}
    )
    character = kling_video_workflow(
        group_id="character",
        request={
            "kind": "custom_element",
            "name": "hero",
            "description": "the hero of the story",
            "frontal_image": file_of(picture),
            "reference_images": [file_of(picture)],
        },
    )

    @task
    def requests(hero: dict[str, Any], shots: list[str], seconds: int) -> list[dict[str, Any]]:
        """Write a request for each shot; all of them show the same character."""
        shared = {"kind": "omni_video", "aspect_ratio": "16:9", "duration": seconds, "multi_shot": False}
        return [
            {**shared, "prompt": shot, "elements": [{"element_id": {"id_of": hero}, "id": "hero"}]} for shot in shots
        ]

    kling_video_workflow.partial(group_id="shots").expand(
        request=requests(job_of(character), "{{ params.shots }}", "{{ params.seconds }}")
    )
    # [END storyboard]

    # [START next_shot]
    # A shot that goes on where another one ends begins with its last frame.
    opening = kling_video_workflow(
        group_id="opening",
        request={
            "first_frame": file_of(picture),
            "prompt": "The camera moves slowly closer",
            "model": "kling-2.5-turbo",
        },
    )
    kling_video_workflow(
        group_id="opening_goes_on",
        request={"first_frame": last_frame_of(opening), "prompt": "It turns its head", "model": "kling-2.5-turbo"},
    )
    # [END next_shot]
