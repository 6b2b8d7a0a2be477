"""A film of six shots: each is a video of its own, joined with crossfades below a title."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, Param, task

from airflow_provider_klingvideo.operators.assembly import KlingVideoAssembleOperator
from airflow_provider_klingvideo.task_groups.chaining import jobs_of
from airflow_provider_klingvideo.task_groups.klingvideo import kling_video_workflow

SHOTS = [
    "A red fox wakes up in its burrow, morning light",
    "It looks out into a forest deep in snow",
    "It runs through fresh snow, low winter sun",
    "It leaps over a frozen brook",
    "It stands on a hill and looks over the valley",
    "It curls up below a fir, stars above",
]
TRANSITIONS = ["cut", "fade", "dissolve", "fadeblack", "fadewhite", "wipeleft", "slideleft", "circleopen"]

with DAG(
    dag_id="klingvideo_film",
    schedule=None,
    params={
        "shots": Param(
            SHOTS,
            type="array",
            items={"type": "string", "minLength": 1},
            minItems=1,
            title="Shots",
            description="One prompt per line, in the order in which they are shown.",
            section="Story",
        ),
        "seconds": Param(5, type="integer", minimum=3, maximum=15, title="Seconds per shot", section="Story"),
        "title": Param(
            "The fox in the snow",
            type=["null", "string"],
            title="Title",
            description="Drawn over the first three seconds.",
            section="Film",
        ),
        "transition": Param("fade", type="string", enum=TRANSITIONS, title="Transition", section="Film"),
        "transition_seconds": Param(
            0.5, type="number", minimum=0.1, maximum=2, title="Seconds of a transition", section="Film"
        ),
        "music": Param(
            None,
            type=["null", "string"],
            title="Music",
            description="Optional: a path that the worker can read (s3://, file://). MP3, WAV, M4A or AAC.",
            section="Film",
        ),
    },
    render_template_as_native_obj=True,
    tags=["klingvideo", "example"],
    doc_md=__doc__,
) as dag:
    # [START film]
    @task
    def requests(shots: list[str], seconds: int) -> list[dict[str, Any]]:
        """Write a request for each shot."""
        return [{"prompt": shot, "duration": seconds, "aspect_ratio": "16:9"} for shot in shots]

    shots = kling_video_workflow.partial(group_id="shots").expand(
        request=requests("{{ params.shots }}", "{{ params.seconds }}")
    )

    KlingVideoAssembleOperator(
        task_id="film",
        clips=jobs_of(shots),
        film={
            "title": "{{ params.title }}",
            "transition": {"kind": "{{ params.transition }}", "seconds": "{{ params.transition_seconds }}"},
            "music": "{{ params.music }}",
        },
    )
    # [END film]
