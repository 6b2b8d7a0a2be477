"""Let a portrait speak: press Trigger, give a portrait's address and what it is to say."""

from __future__ import annotations

from airflow.sdk import DAG, Param

from airflow_provider_klingvideo.kling.catalogue.capabilities import registry
from airflow_provider_klingvideo.operators.speech import KlingVideoSpeakOperator
from airflow_provider_klingvideo.task_groups.klingvideo import kling_video_workflow

with DAG(
    dag_id="klingvideo_talking_avatar",
    schedule=None,
    params={
        "portrait": Param(
            "https://example.org/portrait.png",
            type="string",
            minLength=1,
            title="Portrait",
            description="http(s) URL, or a path that the worker can read (s3://, file://). JPG or PNG, 300 px or more.",
            section="Who",
        ),
        "text": Param(
            "Hello! It is good to see you.",
            type="string",
            format="multiline",
            minLength=1,
            maxLength=1000,
            title="Text",
            description="What is said, in English.",
            section="What",
        ),
        "voice": Param("oversea_male1", type="string", enum=registry().voices["en"], title="Voice", section="What"),
        "manner": Param(
            None,
            type=["null", "string"],
            title="Manner",
            description="Optional: how the person moves and looks.",
            section="How",
        ),
        "resolution": Param("720p", type="string", enum=["720p", "1080p"], title="Resolution", section="How"),
    },
    tags=["klingvideo", "example"],
    doc_md=__doc__,
) as dag:
    # [START talking_avatar]
    speech = KlingVideoSpeakOperator(
        task_id="speech", text="{{ params.text }}", voice_id="{{ params.voice }}", language="en"
    )
    kling_video_workflow(
        group_id="avatar",
        request={
            "kind": "avatar",
            "image": "{{ params.portrait }}",
            "audio_id": speech.output,
            "prompt": "{{ params.manner or '' }}",
            "resolution": "{{ params.resolution }}",
        },
    )
    # [END talking_avatar]
