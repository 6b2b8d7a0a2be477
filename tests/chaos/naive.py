"""The baseline: the same work by the pattern of the official OpenAI batch operator, against the same vendor.

``OpenAITriggerBatchOperator`` (apache-airflow-providers-openai 2.2) orders without an id of its own, keeps Kling's
id in memory until it returns it, defers with a trigger that asks at an interval and turns every exception into a failed
task; what fails, Airflow tries again, from the order on.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from airflow.sdk import BaseOperator
from airflow.triggers.base import BaseTrigger, TriggerEvent

from .points import job_number, strike

POLL_SECONDS = 2.0
REQUEST_SECONDS = 60.0
IN_PROGRESS = {"submitted", "processing", "reviewing"}

POINTS: Mapping[str, str] = {
    **dict.fromkeys(
        ["before_created", "after_created", "mid_record", "before_intent", "after_intent"], "naive_before_post"
    ),
    **dict.fromkeys(["after_post", "after_record"], "naive_after_post"),
    "before_defer": "naive_before_defer",
    "on_resume": "naive_on_resume",
    **dict.fromkeys(["during_download", "mid_publish"], "naive_during_download"),
    **dict.fromkeys(
        ["after_source_published", "during_render", "before_completed_record", "after_completed_record"],
        "naive_after_download",
    ),
}
"""Where on the baseline's way it dies for a point of ours."""


def vendor(method: str, path: str, **arguments: Any) -> Any:
    """Call Kling and return the answer's data; raise for anything but success."""
    import httpx
    from airflow.sdk import Connection

    connection = Connection.get("klingai_default")
    headers = {"Authorization": f"Bearer {connection.password}"}
    url = f"{connection.host}{path}"
    answer = httpx.request(method, url, headers=headers, timeout=REQUEST_SECONDS, trust_env=False, **arguments)
    body = answer.json()
    if answer.is_error or body["code"]:
        raise RuntimeError(f"Error code: {answer.status_code} - {body}")
    return body["data"]


class NaiveVideoOperator(BaseOperator):
    """Order a video, wait for it, load it.

    :param request: (templated) ``prompt`` and ``model``.
    :param folder: (templated) where the video is stored.
    :param timeout: seconds that Kling may take.
    """

    template_fields = ("request", "folder")

    def __init__(self, *, request: Any, folder: str, timeout: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.request = request
        self.folder = folder
        self.timeout = timeout

    def execute(self, context: Any) -> None:
        """Order and defer."""
        self._point("naive_before_post")
        task = vendor("POST", f"/text-to-video/{self.request['model']}", json={"prompt": self.request["prompt"]})
        self._point("naive_after_post")
        self.log.info("Deferring task %s", task["id"])
        self._point("naive_before_defer")
        self.defer(
            trigger=NaiveTrigger(task_id=task["id"], poll_interval=POLL_SECONDS, timeout=self.timeout),
            method_name="execute_complete",
        )

    def execute_complete(self, context: Any, event: Mapping[str, Any]) -> dict[str, Any]:
        """Load the video.

        :returns: Kling's id and where the video lies.
        """
        import httpx

        self._point("naive_on_resume")
        if event["status"] != "success":
            raise RuntimeError(event["message"])
        (task,) = vendor("GET", "/tasks", params={"task_ids": event["vendor_task_id"]})
        path = Path(self.folder) / f"{job_number(self.request['prompt'])}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        url = task["outputs"][0]["url"]
        with httpx.stream("GET", url, timeout=REQUEST_SECONDS, trust_env=False) as answer, path.open("wb") as file:
            answer.raise_for_status()
            for chunk in answer.iter_bytes():
                file.write(chunk)
                self._point("naive_during_download")
        self._point("naive_after_download")
        return {"task_id": task["id"], "path": str(path)}

    def _point(self, name: str) -> None:
        strike(name, str(job_number(self.request["prompt"])))


class NaiveTrigger(BaseTrigger):
    """Ask at an interval until Kling's task has ended.

    :param task_id: Kling's id; stored under another name, since the triggerer sets this one.
    :param poll_interval: seconds.
    :param timeout: seconds, counted from the trigger's start.
    """

    def __init__(self, task_id: str, poll_interval: float, timeout: float) -> None:
        super().__init__()
        self.vendor_task_id = task_id
        self.poll_interval = poll_interval
        self.timeout = timeout

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments."""
        arguments = {"task_id": self.vendor_task_id, "poll_interval": self.poll_interval, "timeout": self.timeout}
        return f"{type(self).__module__}.{type(self).__qualname__}", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield how it ended."""
        yield TriggerEvent({"vendor_task_id": self.vendor_task_id, **await self._ended()})

    async def _ended(self) -> dict[str, str]:
        start = time.monotonic()
        try:
            while (status := await asyncio.to_thread(self._status)) in IN_PROGRESS:
                if time.monotonic() - start >= self.timeout:
                    return {"status": "error", "message": f"Task {self.vendor_task_id} has not ended: {status}"}
                await asyncio.sleep(self.poll_interval)
        except Exception as error:  # noqa: BLE001 - as the original does
            return {"status": "error", "message": str(error)}
        if status == "succeeded":
            return {"status": "success", "message": ""}
        return {"status": "error", "message": f"Task {self.vendor_task_id} has {status}."}

    def _status(self) -> str:
        (task,) = vendor("GET", "/tasks", params={"task_ids": self.vendor_task_id})
        return str(task["status"])
