"""The same rows in every form; a run's conf says what comes before them: ``klingvideo`` videos, a branch, a failure."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param, get_current_context, task

from airflow_provider_klingvideo._compat import AirflowSkipException
from airflow_provider_klingvideo.operators.assembly import KlingVideoAssembleOperator
from airflow_provider_klingvideo.operators.video import KlingVideoOperator
from airflow_provider_klingvideo.task_groups.batch import kling_video_batch
from airflow_provider_klingvideo.task_groups.chaining import jobs_of
from airflow_provider_klingvideo.task_groups.klingvideo import kling_video_workflow

WAYS = ("go", "branch", "short_circuit", "listing_skips", "listing_fails")
PARAMS = {"requests": Param([], type=["array", "string"]), "way": Param("go", enum=list(WAYS))}
DEFAULTS = {"klingai_conn_id": "klingai_elsewhere", "retries": 1, "retry_delay": timedelta(seconds=0.2)}


def way() -> str:
    """What comes before the videos."""
    return get_current_context()["params"]["way"]


@task.branch
def branch() -> str:
    """Leave the videos out where the run asks for it."""
    return "nothing" if way() == "branch" else "videos"


@task
def nothing() -> None:
    """Be the other arm."""


@task.short_circuit
def goes_on() -> bool:
    """Skip all that comes behind where the run asks for it."""
    return way() != "short_circuit"


@task(retries=0)
def listing(first_only: bool) -> object:
    """Return the requests of the run."""
    if way() == "listing_skips":
        raise AirflowSkipException("as the run asks")
    if way() == "listing_fails":
        raise RuntimeError("as the run asks")
    requests = get_current_context()["params"]["requests"]
    return requests[0] if first_only else requests


def a_film(requests):
    """Make one film of a mapped group; the group comes first."""
    shots = kling_video_workflow.partial(group_id="videos").expand(request=requests)
    KlingVideoAssembleOperator(task_id="film", clips=jobs_of(shots))
    return shots


def a_batch(mode):
    """Make the batch of a granularity."""
    return lambda requests: kling_video_batch(requests, mode=mode, group_id="videos", chunk_size=2)


OF_MANY = {
    "mapped": lambda requests: kling_video_workflow.partial(group_id="videos").expand(request=requests),
    "strict": lambda requests: kling_video_workflow.partial(group_id="videos", all_or_nothing=True).expand(
        request=requests
    ),
    "compact": a_batch("compact"),
    "single": a_batch("single"),
    "mapped_batch": a_batch("mapped"),
    "operators": lambda requests: KlingVideoOperator.partial(task_id="videos").expand(request=requests),
    "film": a_film,
}
OF_ONE = {
    "group": lambda request: kling_video_workflow(group_id="videos", request=request),
    "operator": lambda request: KlingVideoOperator(task_id="videos", request=request),
}
FORMS = {**OF_ONE, **OF_MANY}


def form_dag(name: str) -> DAG:
    """Make the DAG of a form."""
    with DAG(f"form_{name}", schedule=None, params=PARAMS, default_args=DEFAULTS) as dag:
        videos = FORMS[name](listing(first_only=name in OF_ONE))
        branch() >> [nothing(), videos]
        goes_on() >> videos
    return dag


globals().update({f"form_{name}": form_dag(name) for name in FORMS})
