"""The API of the pages: what is on record about jobs, for those who may see their DAGs."""

# No `from __future__ import annotations` here: FastAPI would take the user for a part of the query.

import hashlib
from functools import cache
from typing import Annotated

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.responses import StreamingResponse

from airflow_provider_klingvideo import __version__
from airflow_provider_klingvideo.errors import KlingVideoError
from airflow_provider_klingvideo.media.outputs.artifacts import ArtifactPart
from airflow_provider_klingvideo.plugins.boards import board
from airflow_provider_klingvideo.plugins.origin import require_own_page
from airflow_provider_klingvideo.workflow.board.board import JobKey
from airflow_provider_klingvideo.workflow.board.listing import (
    MOST_JOBS,
    CursorError,
    JobFilter,
    JobList,
    StateCounts,
    counted,
    listed,
)
from airflow_provider_klingvideo.workflow.board.media import UnsatisfiableRangeError, media_file, wanted_part
from airflow_provider_klingvideo.workflow.board.page import JobPage, page_of
from airflow_provider_klingvideo.workflow.job.job import WorkflowJob
from airflow_provider_klingvideo.workflow.job.states import WorkflowState
from airflow_provider_klingvideo.workflow.job.store import JobStore

JOB = "/api/jobs/{dag_id}/{folder}/{job_id}"
SAFE_HEADERS = {
    "Cache-Control": "private, no-cache",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
}

MAY_SEE = Depends(requires_access_dag("GET", DagAccessEntity.TASK_INSTANCE))
MAY_EDIT = Depends(requires_access_dag("PUT", DagAccessEntity.RUN))

router = APIRouter()


@cache
def api() -> FastAPI:
    """Return the app; ``/openapi.json`` describes it to anybody, and tells of no job."""
    made = FastAPI(title="Kling videos", version=__version__, docs_url=None, redoc_url=None)
    made.include_router(router)
    return made


def permitted_dags(user: GetUserDep) -> set[str]:
    """Return the DAGs that the user may see."""
    return get_auth_manager().get_authorized_dag_ids(user=user, method="GET")


Permitted = Annotated[set[str], Depends(permitted_dags)]
Filter = Annotated[JobFilter, Depends()]


def job_on_record(dag_id: str, folder: str, job_id: str) -> tuple[JobStore, WorkflowJob]:
    """Return the job that a request names, with its store."""
    try:
        found = board().job(JobKey(dag_id, folder, job_id))
    except KlingVideoError as error:
        raise HTTPException(409, "The record of this job cannot be read; the log of the API server says why") from error
    if found is None:
        raise HTTPException(404, "There is no such job")
    return found


OnRecord = Annotated[tuple[JobStore, WorkflowJob], Depends(job_on_record)]


@router.get("/api/jobs", response_model=JobList)
def list_jobs(
    request: Request,
    permitted: Permitted,
    wanted: Filter,
    cursor: Annotated[str, Query(max_length=2000)] = "",
    limit: Annotated[int, Query(ge=1, le=MOST_JOBS)] = 100,
) -> Response:
    """List jobs, the newest first; ``next`` of the answer is the cursor of the next page."""
    try:
        found = listed(board().jobs(permitted), wanted, cursor, limit)
    except CursorError as error:
        raise HTTPException(422, "This is no cursor of an earlier answer") from error
    return _unless_known(request, found.model_dump_json())


@router.get("/api/counts", response_model=StateCounts)
def count_jobs(request: Request, permitted: Permitted, wanted: Filter) -> Response:
    """Count jobs by their states."""
    return _unless_known(request, counted(board().jobs(permitted), wanted).model_dump_json())


@router.get(JOB, response_model=JobPage, dependencies=[MAY_SEE])
def show_job(request: Request, folder: str, found: OnRecord) -> Response:
    """Tell all that a page shows of a job."""
    return _unless_known(request, page_of(found[1], folder).model_dump_json())


@router.get(f"{JOB}/files/{{name:path}}", dependencies=[MAY_SEE], response_class=Response)
def send_file(request: Request, found: OnRecord, name: str) -> Response:
    """Send a file of a job, or the part of it that ``Range`` names."""
    store, job = found
    if name not in _names_of(job):
        raise HTTPException(404, "The job has no such file")
    try:
        file = media_file(store.folder(job.id), name)
        part = wanted_part(request.headers.get("range"), file.size)
    except UnsatisfiableRangeError as error:
        raise HTTPException(416, headers={"Content-Range": f"bytes */{file.size}"}) from error
    except (FileNotFoundError, KlingVideoError) as error:
        raise HTTPException(404, "The file is not there any more") from error
    first, end = part or (0, file.size)
    headers = {
        **SAFE_HEADERS,
        "Accept-Ranges": "bytes",
        "Content-Length": str(end - first),
        "Content-Disposition": "inline" if file.is_shown else "attachment",
    }
    if part:
        headers["Content-Range"] = f"bytes {first}-{end - 1}/{file.size}"
    return StreamingResponse(
        file.part(first, end), 206 if part else 200, headers={**headers, "Content-Type": file.media_type}
    )


@router.post(f"{JOB}/cancel", status_code=202, dependencies=[MAY_EDIT, Depends(require_own_page)])
def cancel_job(found: OnRecord, user: GetUserDep) -> Response:
    """Ask that a job be cancelled; it is heeded as long as the job is in the queue."""
    store, job = found
    if job.state is not WorkflowState.QUEUED:
        raise HTTPException(409, f"The job is {job.state}; only one that is QUEUED can be cancelled")
    store.request_cancel(job.id, f"Cancelled by {user.get_name()} on the page of Kling videos", revision=job.revision)
    return Response(status_code=202, headers=SAFE_HEADERS)


def _names_of(job: WorkflowJob) -> set[str]:
    parts = [part for facts in job.files.artifacts.values() for part in facts.get("parts") or ()]
    return {*job.files.artifacts, *(ArtifactPart.model_validate(part).name for part in parts)}


def _unless_known(request: Request, body: str) -> Response:
    etag = f'"{hashlib.sha256(body.encode()).hexdigest()[:32]}"'
    headers = {**SAFE_HEADERS, "ETag": etag}
    known = {one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")}
    if etag in known:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)
