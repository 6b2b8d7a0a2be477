"""Links to what a job has in the store, as far as the store has an address that a browser can open.

Of another store the task's log and its output tell the path.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperatorLink

from airflow_provider_klingvideo._urls import without_query

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator

# By the scheme of a path: what stands before the rest of it in an address for browsers.
BROWSER_ADDRESSES: Mapping[str, str] = {
    "https": "https://",
    "http": "http://",
    "gs": "https://storage.cloud.google.com/",
}

POSTER = "poster.jpg"


def browser_address(path: str | None) -> str:
    """Return the address at which a browser opens a file of a store, empty where there is none.

    :param path: a path or URI; what signs it is left out.
    """
    scheme, separator, rest = without_query(path or "").partition("://")
    before = BROWSER_ADDRESSES.get(scheme) if separator else None
    return f"{before}{rest}" if before and rest else ""


class _FileLink(BaseOperatorLink):
    """A link to one file of the job that a task has returned."""

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        """Return the address, empty when the task has returned no job yet or a browser cannot open it."""
        from airflow.sdk.execution_time.xcom import XCom

        job = XCom.get_value(key="return_value", ti_key=ti_key)
        return browser_address(self.path_in(job)) if isinstance(job, Mapping) else ""

    def path_in(self, job: Mapping[str, Any]) -> str | None:
        """Return the path of the file."""
        raise NotImplementedError


class KlingVideoLink(_FileLink):
    """Opens the video."""

    name = "Video"

    def path_in(self, job: Mapping[str, Any]) -> str | None:
        """Return the path of the finished video, or of what else was made."""
        return job.get("processed_url")


class KlingVideoPosterLink(_FileLink):
    """Opens the poster, where one was made."""

    name = "Poster"

    def path_in(self, job: Mapping[str, Any]) -> str | None:
        """Return the path of the poster."""
        artifacts = (job.get("files") or {}).get("artifacts") or {}
        return (artifacts.get(POSTER) or {}).get("path")


class KlingVideoRecordLink(_FileLink):
    """Opens the job's record."""

    name = "Job record"

    def path_in(self, job: Mapping[str, Any]) -> str | None:
        """Return the path of the record."""
        return job.get("record")


FILE_LINKS = (KlingVideoLink(), KlingVideoPosterLink(), KlingVideoRecordLink())
