"""Jobs and calls of the hook against a sandbox that cuts answers after it has taken a call and its money."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager, nullcontext
from decimal import Decimal
from types import SimpleNamespace

from airflow.sdk.execution_time.context import set_current_context
from airflow_home import connection

from airflow_provider_klingvideo.hooks.klingai import KlingAIHook
from airflow_provider_klingvideo.kling import parse_request
from airflow_provider_klingvideo.runtime.session import Session
from airflow_provider_klingvideo.workflow import VideoHandlers, WorkflowJob
from airflow_provider_klingvideo.workflow.batch.run import BatchRun

QUICK = {
    "OUTPUT_PATH": "",
    "CHECK_INPUT_URLS": "False",
    "POLL_MIN_SECONDS": "0.05",
    "POLL_MAX_SECONDS": "0.1",
    "SLOT_PAUSE_SECONDS": "0.05",
}
SPEAKER = {"prompt": "a person speaks", "model": "kling-2.6", "resolution": "1080p", "audio": "native"}
PATHS = {
    "tts": "/v1/audio/tts",
    "identify_faces": "/v1/videos/identify-face",
    "recognize_image": "/v1/videos/image-recognize",
    "init_selection": "/v1/videos/multi-elements/init-selection",
}


class Shop:
    """A sandbox with a video of its own, and everything that pays there."""

    def __init__(self, sandbox, folder, monkeypatch):
        self.sandbox, self.folder = sandbox, folder
        for name, value in {**QUICK, "OUTPUT_PATH": f"file://{folder}"}.items():
            monkeypatch.setenv(f"AIRFLOW__KLINGVIDEO__{name}", value)
        monkeypatch.setenv("AIRFLOW_CONN_KLINGAI_DEFAULT", connection(sandbox.url))

    @property
    def picture(self):
        return f"{self.sandbox.url}/sandbox/samples/ocean.png"

    @property
    def sound(self):
        return f"{self.sandbox.url}/sandbox/samples/voice.wav"

    def clip(self):
        """Order a video at Kling, and return Kling's id of it and where it lies."""
        with KlingAIHook().get_conn() as client:
            request = parse_request(SPEAKER)
            task = client.create(request, external_task_id="clip")
            while not (outputs := client.get_task(task.id, kind=request.kind).outputs):
                time.sleep(0.02)
        return str(outputs[0].id), outputs[0].url

    def cut(self, path, times=1, **action):
        """Cut the next answers to a path, by default after the call was taken."""
        rule = {"match": {"method": "POST", "path": path}, "action": {"type": "drop_after", **action}}
        self.sandbox.add_rule({**rule, "times": times})

    def sent(self, path):
        """How many calls of a path have reached the sandbox, whatever it answered."""
        counts = self.sandbox.ledger()["requests"].items()
        return sum(count for name, count in counts if name.startswith(f"POST {path} "))

    @property
    def spent(self):
        """Units of all packs."""
        return sum(Decimal(pack["spent_units"]) for pack in self.sandbox.ledger()["packs"].values())

    def orders(self, external_id):
        return [task for task in self.sandbox.ledger()["tasks"] if task["external_id"] == external_id]

    # Jobs.

    @asynccontextmanager
    async def working(self, **settings):
        settings = {"plan": ["poster"], **settings}
        session = Session(overrides=lambda: settings)
        async with session.driver(session.store("jobs")) as driver:
            yield driver.engine, driver.steps

    @property
    def store(self):
        return Session().store("jobs")

    def process(self, job, **settings):
        async def run():
            async with self.working(**settings) as (engine, steps):
                VideoHandlers(steps).register(engine)
                return await engine.process(job)

        return asyncio.run(run())

    def batch(self, jobs, **settings):
        async def run():
            async with self.working(**settings) as (engine, steps):
                return await BatchRun(engine, steps).run(jobs)

        return asyncio.run(run())

    def cleared(self, job_id, state, **settings):
        """Take an ended job up again, as a person does who clears its task, and process it."""

        async def reopen():
            async with self.working() as (engine, _):
                return engine.reopen(self.store.load(job_id), state)

        return self.process(asyncio.run(reopen()), **settings)

    # The hook.

    def call(
        self, name, *args, task="task", map_index=-1, repeat_unanswered=False, conn_id="klingai_default", **kwargs
    ):
        """Call a method of the hook in a task; outside of tasks where ``task`` is None."""
        ti = SimpleNamespace(dag_id="dag", run_id="run", task_id=task, map_index=map_index)
        with nullcontext() if task is None else set_current_context({"ti": ti}):
            return getattr(KlingAIHook(conn_id, repeat_unanswered=repeat_unanswered), name)(*args, **kwargs)


def wanted(fields):
    """Make a job of the fields of a request."""
    params = dict(fields)
    return WorkflowJob(id="job", prompt=params.pop("prompt", ""), params=params)
