"""The DAGs of the tests: what they ask for comes from the run's conf."""

from __future__ import annotations

from datetime import timedelta
from itertools import count

from airflow.sdk import DAG, Asset, Param, get_current_context, task

from airflow_provider_klingvideo._compat import AirflowSkipException
from airflow_provider_klingvideo.operators.klingvideo import (
    KlingVideoCreateOperator,
    KlingVideoGenerateOperator,
    KlingVideoQueueOperator,
    KlingVideoValidateOperator,
)
from airflow_provider_klingvideo.operators.reconciliation import KlingVideoReconcileOperator
from airflow_provider_klingvideo.operators.speech import KlingVideoSpeakOperator
from airflow_provider_klingvideo.operators.video import KlingVideoOperator
from airflow_provider_klingvideo.sensors.klingvideo import KlingVideoGenerationSensor
from airflow_provider_klingvideo.task_groups.batch import kling_video_batch
from airflow_provider_klingvideo.task_groups.chaining import file_of, id_of, last_frame_of
from airflow_provider_klingvideo.task_groups.klingvideo import kling_video_workflow

WORKFLOW = kling_video_workflow.partial(
    default_args={"retry_delay": timedelta(seconds=0.2), "retries": 1},
    generation_timeout=60,
    take="{{ params.take }}",
    on_changed_request="{{ params.on_changed_request }}",
    klingai_conn_id="{{ params.conn_id }}",
)
PARAMS = {
    "request": Param({}, type="object"),
    "take": Param(1, type="integer"),
    "on_changed_request": "order",
    "conn_id": "klingai_default",
}


@task
def the_request() -> dict:
    """Take the request from the run's conf."""
    return get_current_context()["params"]["request"]


@task
def the_requests() -> list:
    """Take the requests from the run's conf."""
    return get_current_context()["params"]["requests"]


with DAG("single", schedule=None, params=PARAMS) as single:
    WORKFLOW(request=the_request(), outlets=[Asset("fox_video", uri="file:///videos/fox.mp4")])

with DAG("planned", schedule=None, params={**PARAMS, "plan": Param("", type="string")}) as planned:
    WORKFLOW(request=the_request(), render_plan="{{ params.plan }}")

with DAG("poking", schedule=None, params=PARAMS) as poking:
    WORKFLOW(request=the_request(), deferrable=False)

with DAG("batch", schedule=None, params={**PARAMS, "requests": Param([], type="array")}) as batch:
    WORKFLOW.partial(group_id="videos").expand(request=the_requests())

with DAG("tolerant_batch", schedule=None, params={**PARAMS, "requests": Param([], type="array")}) as tolerant_batch:
    WORKFLOW.partial(group_id="videos", max_failed_share=0.5).expand(request=the_requests())

with DAG("strict_batch", schedule=None, params={**PARAMS, "requests": Param([], type="array")}) as strict_batch:
    WORKFLOW.partial(group_id="videos", all_or_nothing=True).expand(request=the_requests())

ROWS = {
    "rows": Param([], type=["array", "string"]),
    "batch": Param("", type="string"),
    "on_invalid_rows": Param("refuse", type="string"),
    "budget": Param("", type="string"),
}


def rows_dag(mode: str, *, name: str = "rows", chunk_size: int = 2, retries: int = 1) -> DAG:
    """Make the DAG of a batch from rows."""
    with DAG(f"{name}_{mode}", schedule=None, params={**PARAMS, **ROWS}, render_template_as_native_obj=True) as rows:
        kling_video_batch(
            "{{ params.rows }}",
            mode=mode,
            chunk_size=chunk_size,
            patience=5,
            batch="{{ params.batch or run_id }}",
            on_invalid_rows="{{ params.on_invalid_rows }}",
            budget_units="{{ params.budget }}",
            group_id="videos",
            outlets=[Asset(f"{name}_{mode}", uri=f"file:///videos/{name}_{mode}.mp4")],
            generation_timeout=60,
            take="{{ params.take }}",
            on_changed_request="{{ params.on_changed_request }}",
            default_args={"retry_delay": timedelta(seconds=0.2), "retries": retries},
        )
    return rows


rows_compact = rows_dag("compact")
rows_mapped = rows_dag("mapped")
rows_single = rows_dag("single")
whole_compact = rows_dag("compact", name="whole", chunk_size=50, retries=0)


def elsewhere_dag(mode: str) -> DAG:
    """Make the DAG of a batch that leaves the connection and the retries to the DAG's defaults."""
    defaults = {"klingai_conn_id": "klingai_elsewhere", "retries": 3, "retry_delay": timedelta(seconds=0.2)}
    params = {"requests": Param([], type="array")}
    with DAG(f"elsewhere_{mode}", schedule=None, params=params, default_args=defaults) as elsewhere:
        kling_video_batch(the_requests(), mode=mode, group_id="videos")
        KlingVideoOperator.partial(task_id="mapped").expand(request=the_requests.override(task_id="again")())
    return elsewhere


elsewhere_compact = elsewhere_dag("compact")
elsewhere_mapped = elsewhere_dag("mapped")
elsewhere_single = elsewhere_dag("single")

APPROVAL = {
    "ask_above": "{{ params.ask_above }}",
    "assigned_users": "{{ params.assigned_users }}",
    "take": "{{ params.take }}",
    "generation_timeout": 60,
    "default_args": {"retry_delay": timedelta(seconds=0.2), "retries": 1},
}
ASKING = {**PARAMS, "ask_above": Param("always", type="string"), "assigned_users": Param("", type="string")}

with DAG("approved", schedule=None, params=ASKING) as approved:
    kling_video_workflow(request=the_request(), budget_units=10, **APPROVAL)

with DAG("approved_each", schedule=None, params={**ASKING, "requests": Param([], type="array")}) as approved_each:
    kling_video_workflow.partial(group_id="videos", **APPROVAL).expand(request=the_requests())

with DAG("approved_one_task", schedule=None, params=ASKING) as approved_one_task:
    KlingVideoOperator(task_id="video", request="{{ params.request | tojson }}", **APPROVAL)

with DAG("approved_compact", schedule=None, params={**ASKING, "requests": Param([], type="array")}) as approved_compact:
    kling_video_batch(the_requests(), mode="compact", group_id="videos", **APPROVAL)

ONE_TASK = {
    "generation_timeout": 60,
    "take": "{{ params.take }}",
    "klingai_conn_id": "{{ params.conn_id }}",
    "retries": 1,
    "retry_delay": timedelta(seconds=0.2),
}

with DAG("one_task", schedule=None, params=PARAMS) as one_task:
    asset = Asset("video_of_one_task", uri="file:///videos/one_task.mp4")
    KlingVideoOperator(task_id="video", request=the_request(), outlets=[asset], **ONE_TASK)

with DAG("one_task_each", schedule=None, params={**PARAMS, "requests": Param([], type="array")}) as one_task_each:
    KlingVideoOperator.partial(task_id="video", **ONE_TASK).expand(request=the_requests())

with DAG("decorated", schedule=None, params={"prompts": Param([], type="array")}) as decorated:
    calls = count()

    @task.kling_video(**{**ONE_TASK, "take": 1, "klingai_conn_id": "klingai_default"})
    def video(prompt: str) -> dict:
        if prompt == "none":
            return None
        return {"prompt": f"{prompt}, call {next(calls)}, {{{{ dag.dag_id }}}}", "duration": 5}

    @task
    def the_prompts() -> list:
        return get_current_context()["params"]["prompts"]

    video.expand(prompt=the_prompts())

BUDGET = {"budget_units": Param(None, type=["number", "null"]), "budget_key": Param(None, type=["string", "null"])}
with DAG("budgeted", schedule=None, params={**PARAMS, **BUDGET, "requests": Param([], type="array")}) as budgeted:
    WORKFLOW.partial(
        group_id="videos",
        budget_units="{{ params.budget_units }}",
        budget_key="{{ params.budget_key or '' }}",
        queue_timeout=1,
    ).expand(request=the_requests())

with DAG("impatient", schedule=None, params=PARAMS) as impatient:
    WORKFLOW(request=the_request(), generation_timeout=1)

with DAG("lenient", schedule=None, params=PARAMS) as lenient:
    # Operators in a row, without the task group's ends.
    job = KlingVideoCreateOperator(task_id="create", request=the_request()).output
    for operator in (KlingVideoValidateOperator, KlingVideoQueueOperator, KlingVideoGenerateOperator):
        job = operator(task_id=operator.__name__, job=job).output
    KlingVideoGenerationSensor(task_id="wait", job=job, soft_fail=True)

with DAG("by_hand", schedule=None, params=PARAMS) as by_hand:
    # No task group: the job travels by XCom alone.
    created = KlingVideoCreateOperator(task_id="create", request={"prompt": "A fox, {{ dag.dag_id }}"})
    KlingVideoValidateOperator(task_id="validate", job=created.output)

with DAG("maintenance", schedule=None, params=PARAMS) as maintenance:
    KlingVideoReconcileOperator(task_id="reconcile", adopt=True)

with DAG("chain", schedule=None, params={**PARAMS, "character": Param({}, type="object")}) as chain:
    # A picture, a character made of it, a video that begins with the picture, the same one with moving lips, and one
    # that goes on where it ends.
    picture = WORKFLOW(group_id="picture", request=the_request())
    character = WORKFLOW(
        group_id="character",
        request={
            "kind": "custom_element",
            "name": "fox",
            "description": "a red fox",
            "frontal_image": file_of(picture),
            "reference_images": [file_of(picture)],
        },
    )
    first = WORKFLOW(
        group_id="first",
        request={
            "first_frame": file_of(picture),
            "model": "kling-3.0",
            "elements": [{"element_id": id_of(character), "id": "fox"}],
            "prompt": "@fox wakes up",
        },
    )
    speech = KlingVideoSpeakOperator(
        task_id="speech", text="Good morning, little fox, did you sleep well?", voice_id="oversea_male1"
    )
    first >> speech
    lips = WORKFLOW(
        group_id="lips",
        request={"kind": "lip_sync", "video": file_of(first), "audio_id": speech.output, "sound_end_ms": 2000},
    )
    WORKFLOW(
        group_id="second",
        request={"first_frame": last_frame_of(lips), "model": "kling-2.5-turbo", "prompt": "It runs into the snow"},
    )


moments_to_live: list[str] = []
"""At the last of these, events or states of any jobs, a task ends as if it was killed; see :func:`die_where_asked`."""


def die_where_asked(entry) -> None:
    """A listener of the journal: end the task's process, or what stands for it in ``dag.test()``."""
    moment = str(entry.data["to"] if entry.event == "transition" else entry.event)
    if moments_to_live and moment == moments_to_live[0]:
        moments_to_live.pop(0)
        if not moments_to_live:
            raise SystemExit(f"killed at {moment}")


def break_where_asked(context) -> None:
    """Fail or skip the task that the prompt names: ``fail:queued``, ``skip:queued``."""
    ti, params = context["ti"], context["params"]
    request = params["requests"][ti.map_index] if params.get("requests") else params["request"]
    how, _, where = request["prompt"].partition(":")
    if where == ti.task_id.rpartition(".")[2]:
        raise {"fail": RuntimeError, "skip": AirflowSkipException}[how]("as the prompt asks")


BREAKING = WORKFLOW.partial(default_args={"retries": 0, "pre_execute": break_where_asked})

with DAG("breaking", schedule=None, params=PARAMS) as breaking:
    BREAKING(request=the_request())

with DAG("breaking_batch", schedule=None, params={**PARAMS, "requests": Param([], type="array")}) as breaking_batch:
    BREAKING.partial(group_id="videos").expand(request=the_requests())
