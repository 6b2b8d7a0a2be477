"""All jobs of DAGs below some output folders, read once and again only when their records change."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import NamedTuple

from airflow_provider_klingvideo.errors import KlingVideoError
from airflow_provider_klingvideo.storage.listing import Found, found_below
from airflow_provider_klingvideo.storage.names import old_name, safe_name
from airflow_provider_klingvideo.storage.stores import is_store_fault
from airflow_provider_klingvideo.workflow.board.summary import JobSummary, summary_of
from airflow_provider_klingvideo.workflow.job.job import WorkflowJob
from airflow_provider_klingvideo.workflow.job.store import RECORD_NAME, JobStore

DEPTH = 3
"""So deep lies a job's folder: DAG, run or batch, job."""
FRESH_SECONDS = 5.0
READERS = 8
UNREAD = ""
"""The stamp of what the store did not hand over: it is read again next time."""

log = logging.getLogger(__name__)


class JobKey(NamedTuple):
    """By which a job is asked for.

    :param folder: the name of the folder of its run or batch.
    """

    dag_id: str
    folder: str
    job_id: str


class _Known(NamedTuple):
    stamp: str
    key: JobKey | None
    summary: JobSummary | None
    store: JobStore


class Board:
    """The jobs of DAGs, as their records tell.

    A record that does not belong to the folder it lies in, or to the DAG whose folder that is, is not shown: whoever
    may see a DAG would see it in the name of that one. A job without a DAG is not shown either: nobody could say who
    may see it. No path is ever made of what a page asks for: it is looked up among what was found.

    :param stores: of the output folders; of two jobs with one key that of the first folder counts.
    :param fresh_seconds: so long a listing is good enough, however many pages ask.
    :param clock: seconds that never go back.
    """

    def __init__(
        self,
        stores: Iterable[JobStore],
        *,
        fresh_seconds: float = FRESH_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stores = tuple(stores)
        self._fresh_seconds = fresh_seconds
        self._clock = clock
        self._lock = Lock()
        self._listed_at: float | None = None
        self._known: dict[tuple[int, tuple[str, ...]], _Known] = {}
        self._jobs: dict[JobKey, _Known] = {}

    def jobs(self, dag_ids: Iterable[str]) -> list[JobSummary]:
        """Return the jobs of some DAGs, the newest first."""
        wanted = frozenset(dag_ids)
        found = [known.summary for key, known in self._fresh().items() if key.dag_id in wanted and known.summary]
        return sorted(found, key=place_of, reverse=True)

    def job(self, key: JobKey) -> tuple[JobStore, WorkflowJob] | None:
        """Read a job as it is on record now, with its store; None when there is none of the key.

        :raises UnreadableRecordError: the record cannot be read.
        """
        known = self._fresh().get(key)
        job = known.store.load(key.job_id) if known else None
        # It may have been replaced since it was listed.
        return (known.store, job) if known and job and job.origin.dag_id == key.dag_id else None

    def _fresh(self) -> dict[JobKey, _Known]:
        with self._lock:
            if self._listed_at is None or self._clock() - self._listed_at >= self._fresh_seconds:
                self._look()
                self._listed_at = self._clock()
            return self._jobs

    def _look(self) -> None:
        listed = {
            (number, one.folders): one
            for number, store in enumerate(self._stores)
            for one in found_below(store.base, RECORD_NAME, DEPTH)
        }
        changed = [
            place for place, one in listed.items() if place not in self._known or self._known[place].stamp != one.stamp
        ]
        with ThreadPoolExecutor(READERS) as threads:
            read = dict(
                zip(changed, threads.map(lambda place: self._read(place[0], listed[place]), changed), strict=True)
            )
        self._known = {place: known for place in listed if (known := read.get(place) or self._known.get(place))}
        # The first folder last, so that it wins.
        self._jobs = {known.key: known for known in reversed(list(self._known.values())) if known.key}

    def _read(self, number: int, one: Found) -> _Known:
        dag, folder, job_id = one.folders
        base = self._stores[number].base
        store = self._stores[number].at(base / dag / folder)
        stamp = one.stamp
        try:
            job = store.load(job_id)
        except KlingVideoError as error:
            log.warning("A job is not shown: %s", error)
            job = None
        except Exception as error:
            if not is_store_fault(error):
                raise
            log.warning("The record of job %s cannot be read now: %s", job_id, error)
            job, stamp = None, UNREAD
        if job is None or job.origin.dag_id is None or dag not in _names_of(job.origin.dag_id):
            return _Known(stamp, None, None, store)
        return _Known(stamp, JobKey(job.origin.dag_id, folder, job_id), summary_of(job, folder), store)


def place_of(job: JobSummary) -> tuple[str, str, str, str]:
    """Where a job stands among others; no two stand at the same place."""
    return job.created_at.isoformat(), job.dag_id, job.folder, job.id


def _names_of(text: str) -> Iterator[str]:
    yield safe_name(text)
    yield old_name(text)
