"""The DAGs of the benchmark of resuming: jobs that wait, in our way and in the usual one."""

from __future__ import annotations

from typing import Any

import httpx
from airflow.sdk import DAG, BaseHook, BaseOperator

from airflow_provider_klingvideo.task_groups.klingvideo import kling_video_workflow
from benchmarks.usual_trigger import UsualTrigger

REQUESTS = [{"prompt": f"A red fox, take {number}", "model": "kling-2.5-turbo"} for number in range(12)]


class UsualVideoOperator(BaseOperator):
    """Order a video and wait for it in a trigger of its own.

    :param request: what is ordered.
    """

    def __init__(self, *, request: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.request = request

    def execute(self, context: Any) -> None:
        """Order and defer."""
        connection = BaseHook.get_connection("klingai_default")
        url = f"{connection.host}/text-to-video/{self.request['model']}"
        headers = {"Authorization": f"Bearer {connection.password}"}
        answer = httpx.post(url, headers=headers, json={"prompt": self.request["prompt"]}, timeout=30)
        task_id = answer.raise_for_status().json()["data"]["id"]
        self.defer(trigger=UsualTrigger("klingai_default", task_id, poll_interval=5), method_name="execute_complete")

    def execute_complete(self, context: Any, event: dict[str, Any]) -> dict[str, Any]:
        """Return what the trigger found."""
        return event


with DAG("resume_ours", schedule=None) as ours:
    kling_video_workflow.partial(group_id="videos").expand(request=REQUESTS)

with DAG("resume_usual", schedule=None) as usual:
    UsualVideoOperator.partial(task_id="generation").expand(request=REQUESTS)
