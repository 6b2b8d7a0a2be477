"""Lists of jobs: filtered, counted, and handed out page by page."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from pydantic import BaseModel, ConfigDict, Field

from airflow_provider_klingvideo.workflow.board.board import place_of
from airflow_provider_klingvideo.workflow.board.summary import JobSummary
from airflow_provider_klingvideo.workflow.job.states import WorkflowState

MOST_JOBS = 500
LONGEST_FILTER = 500
Place = tuple[str, str, str, str]


class CursorError(ValueError):
    """A cursor that no list has handed out."""


class JobFilter(BaseModel):
    """Which jobs are wanted; what is None lets all pass.

    :param text: stands in the prompt's beginning, the key, the id or the error, in small or capital letters.
    """

    model_config = ConfigDict(frozen=True)

    dag_id: str | None = Field(None, max_length=LONGEST_FILTER)
    run_id: str | None = Field(None, max_length=LONGEST_FILTER)
    state: WorkflowState | None = None
    model: str | None = Field(None, max_length=LONGEST_FILTER)
    kind: str | None = Field(None, max_length=LONGEST_FILTER)
    key: str | None = Field(None, max_length=LONGEST_FILTER)
    text: str | None = Field(None, max_length=LONGEST_FILTER)

    def chosen(self, jobs: Iterable[JobSummary]) -> Iterator[JobSummary]:
        """Return those of some jobs that are wanted."""
        exact = self.model_dump(exclude={"text"}, exclude_none=True)
        text = (self.text or "").casefold()
        for job in jobs:
            shown = "\n".join((job.prompt, job.key or "", job.id, job.error or "")).casefold()
            if text in shown and all(getattr(job, name) == value for name, value in exact.items()):
                yield job


class JobList(BaseModel):
    """A page of a list.

    :param next: the cursor of the next page, None on the last one.
    """

    jobs: list[JobSummary]
    next: str | None


class StateCounts(BaseModel):
    """How many jobs are in each state."""

    total: int
    states: dict[WorkflowState, int]


def listed(jobs: Sequence[JobSummary], wanted: JobFilter, cursor: str, limit: int) -> JobList:
    """Return a page of a list; jobs that come in meanwhile move none of the others to another page.

    :param jobs: the newest first.
    :param cursor: ``next`` of the page before, empty for the first one.
    :raises CursorError: it is none.
    """
    before = _place_in(cursor) if cursor else None
    left = [job for job in wanted.chosen(jobs) if before is None or place_of(job) < before]
    page = left[:limit]
    return JobList(jobs=page, next=_cursor_of(page[-1]) if len(left) > limit else None)


def counted(jobs: Iterable[JobSummary], wanted: JobFilter) -> StateCounts:
    """Count jobs by their states, all states among them."""
    found = Counter(job.state for job in wanted.chosen(jobs))
    return StateCounts(total=found.total(), states={state: found[state] for state in WorkflowState})


def _cursor_of(job: JobSummary) -> str:
    return base64.urlsafe_b64encode(json.dumps(place_of(job)).encode()).decode()


def _place_in(cursor: str) -> Place:
    try:
        created_at, dag_id, folder, job_id = map(str, json.loads(base64.urlsafe_b64decode(cursor.encode())))
    except (ValueError, TypeError, RecursionError) as error:
        raise CursorError(cursor) from error
    return created_at, dag_id, folder, job_id
