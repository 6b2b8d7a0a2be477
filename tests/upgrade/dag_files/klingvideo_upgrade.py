"""The DAGs of runs that an old version began and the present one ends.

The maker of the fixtures parses this file with the old code, the tests with the present one: it uses public names only,
and what it says must not change, or the runs on record would be others.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param, get_current_context, task

from airflow_provider_klingvideo.operators.assembly import KlingVideoAssembleOperator
from airflow_provider_klingvideo.operators.klingvideo import (
    KlingVideoCompleteOperator,
    KlingVideoCreateOperator,
    KlingVideoGenerateOperator,
    KlingVideoPostProcessOperator,
    KlingVideoQueueOperator,
    KlingVideoValidateOperator,
)
from airflow_provider_klingvideo.operators.speech import KlingVideoSpeakOperator
from airflow_provider_klingvideo.sensors.klingvideo import KlingVideoGenerationSensor
from airflow_provider_klingvideo.task_groups.batch import kling_video_batch
from airflow_provider_klingvideo.task_groups.chaining import file_of, id_of, job_of
from airflow_provider_klingvideo.task_groups.klingvideo import kling_video_workflow

WORKFLOW = kling_video_workflow.partial(default_args={"retries": 0}, render_plan=["master", "poster"])
REQUEST = {"request": Param({}, type="object")}
REQUESTS = {"requests": Param([], type="array")}
ROWS = {"rows": Param([], type="array"), "batch": Param("", type="string")}
BUDGET = {"budget_units": Param(0, type="number"), "budget_key": Param("", type="string")}

# A job may be cancelled before it is queued, and fails where the product's own table cancels it.
TABLE = {
    "CREATED": ["VALIDATED", "FAILED"],
    "VALIDATED": ["QUEUED", "CANCELLED"],
    "QUEUED": ["GENERATING", "FAILED"],
    "GENERATING": ["POST_PROCESSING", "FAILED"],
    "POST_PROCESSING": ["COMPLETED", "FAILED"],
}
# Old names of folders end after 120 letters.
LONG = "upgrade_" + "long_" * 24
ODD_KEY = "Aufnahme 1/2: früh"
ODD_NAMES = (".upgrade_hidden", f"{LONG}.one", f"{LONG}.two")


@task
def the_request() -> dict:
    """Take the request from the run's conf."""
    return get_current_context()["params"]["request"]


@task
def the_requests() -> list:
    """Take the requests from the run's conf."""
    return get_current_context()["params"]["requests"]


with DAG("upgrade_mapped", schedule=None, params=REQUESTS) as mapped:
    WORKFLOW.partial(group_id="videos", max_failed_share=1.0).expand(request=the_requests())

with DAG("upgrade_single", schedule=None, params=REQUEST) as single:
    WORKFLOW(request=the_request())

with DAG("upgrade_budget", schedule=None, params={**REQUEST, **BUDGET}) as budget:
    WORKFLOW(
        request=the_request(),
        budget_units="{{ params.budget_units }}",
        budget_key="{{ params.budget_key }}",
        queue_timeout=5,
    )

with DAG("upgrade_table", schedule=None, params=REQUEST) as table:
    WORKFLOW(request=the_request(), transitions=TABLE)

with DAG("upgrade_impatient", schedule=None, params=REQUEST) as impatient:
    WORKFLOW(request=the_request(), generation_timeout=1)

with DAG("upgrade_again", schedule=None, params=REQUEST) as again:
    WORKFLOW(request=the_request(), regenerate_failed=True)

with DAG("upgrade_by_hand", schedule=None, params=REQUEST) as by_hand:
    # No task group: each task knows its job by XCom alone.
    job = KlingVideoCreateOperator(task_id="created", request=the_request(), retries=0).output
    for name, operator in {
        "validated": KlingVideoValidateOperator,
        "queued": KlingVideoQueueOperator,
        "generating": KlingVideoGenerateOperator,
        "generation": KlingVideoGenerationSensor,
        "post_processing": KlingVideoPostProcessOperator,
        "completed": KlingVideoCompleteOperator,
    }.items():
        job = operator(task_id=name, job=job, retries=0).output

with DAG("upgrade_chain", schedule=None, params=REQUEST) as chain:
    clip = WORKFLOW(group_id="clip", request=the_request())
    KlingVideoAssembleOperator(task_id="film", clips=[job_of(clip)], retries=0)
    speech = KlingVideoSpeakOperator(
        task_id="speech", text="Good morning, little fox, did you sleep well?", voice_id="oversea_male1", retries=0
    )
    WORKFLOW(
        group_id="lip_sync",
        request={"kind": "lip_sync", "video": file_of(clip), "audio_id": speech.output, "sound_end_ms": 2000},
    )

with DAG("upgrade_things", schedule=None, params=REQUEST) as things:
    picture = WORKFLOW(group_id="picture", request=the_request())
    looks = {"frontal_image": file_of(picture), "reference_images": [file_of(picture)]}
    element = WORKFLOW(
        group_id="custom_element",
        request={"kind": "custom_element", "name": "fox", "description": "a red fox", **looks},
    )
    WORKFLOW(
        group_id="video",
        request={
            "prompt": "video: @fox wakes up",
            "model": "kling-3.0",
            "first_frame": file_of(picture),
            "elements": [{"element_id": id_of(element), "id": "fox"}],
        },
    )

with DAG("upgrade_speech", schedule=None) as spoken:
    for name in ("answered", "unanswered"):
        KlingVideoSpeakOperator(task_id=name, text=f"This is {name}", voice_id="oversea_male1", retries=0)


def rows_dag(name: str, mode: str, patience: float) -> DAG:
    """Make the DAG of a batch from rows."""
    params = {**ROWS, **BUDGET, "priority": Param(0, type="integer")}
    with DAG(f"upgrade_{name}", schedule=None, params=params, render_template_as_native_obj=True) as rows:
        kling_video_batch(
            "{{ params.rows }}",
            mode=mode,
            chunk_size=14,
            patience=patience,
            batch="{{ params.batch or run_id }}",
            budget_units="{{ params.budget_units or '' }}",
            budget_key="{{ params.budget_key or '' }}",
            priority="{{ params.priority }}",
            group_id="videos",
            max_failed_share=1.0,
            render_plan=["poster"],
            # Among the defaults, which versions that do not know it pass over.
            default_args={"retries": 0, "on_invalid_rows": "skip"},
        )
    return rows


rows_compact = rows_dag("rows_compact", "compact", 600)
rows_deferred = rows_dag("rows_deferred", "compact", 0)
rows_mapped = rows_dag("rows_mapped", "mapped", 45)


def odd_dag(dag_id: str) -> DAG:
    """Make the DAG of one video under a name that is no name of a folder."""
    with DAG(dag_id, schedule=None, params=REQUEST) as odd:
        WORKFLOW(request=the_request(), job_key=ODD_KEY)
    return odd


hidden, long_one, long_two = map(odd_dag, ODD_NAMES)

DAGS = {one.dag_id: one for one in list(globals().values()) if isinstance(one, DAG)}
