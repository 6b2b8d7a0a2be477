"""Processes jobs against a sandbox, as one asyncio process does it."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager

from airflow_provider_klingvideo.kling import ApiKeyAuth, AsyncKlingClient, KlingClient
from airflow_provider_klingvideo.media import MediaSettings, RenderPlan
from airflow_provider_klingvideo.sandbox import SandboxServer
from airflow_provider_klingvideo.workflow import (
    JobStore,
    Journal,
    PollPolicy,
    StepSettings,
    VideoHandlers,
    VideoSteps,
    WorkflowEngine,
)
from airflow_provider_klingvideo.workflow.gates.slots.slots import SlotBoard, Slots

KEY = "sandbox-key"
POLICY = PollPolicy(min_seconds=0.05, max_seconds=0.1)
# Pictures and previews take most of the processor, and few tests look at them.
MASTER_ONLY = RenderPlan.parse({"outputs": ["master"]})


class ClockedSandbox(SandboxServer):
    """A sandbox whose clock can be put forward, so that nobody waits for what takes long at Kling."""

    def __init__(self, settings):
        self._ahead = 0.0
        super().__init__(settings, clock=lambda: time.time() + self._ahead)

    def reset(self):
        self._ahead = 0.0
        super().reset()

    def forward(self, seconds):
        self._ahead += seconds


def slots_of(store, settings=None):
    """The slots of a board beside the records."""
    return Slots(SlotBoard(store.base / "slots"), (settings or StepSettings()).slot_rules)


class Workshop:
    """Processes jobs with the standard handlers."""

    def __init__(self, sandbox, folder, *, listeners=(), **settings):
        self.sandbox = sandbox
        self.journal = Journal(listeners)
        self.store = JobStore(folder)
        media = MediaSettings(allowed_private_hosts=frozenset({sandbox.url.removeprefix("http://")}))
        self.settings = StepSettings(
            media=media, poll=POLICY, slot_pause_seconds=0.05, **{"plan": MASTER_ONLY, **settings}
        )

    def outputs(self, task_id, kind):
        with KlingClient(ApiKeyAuth(KEY), base_url=self.sandbox.url) as client:
            return client.get_task(task_id, kind=kind).outputs

    def process(self, job):
        return asyncio.run(self._process(job))

    async def _process(self, job):
        async with self.open_client() as client, self.working_on(client) as (engine, steps):
            VideoHandlers(steps).register(engine)
            return await engine.process(job)

    def open_client(self, **options):
        return AsyncKlingClient(ApiKeyAuth(KEY), base_url=self.sandbox.url, **{"read_attempts": 1, **options})

    @asynccontextmanager
    async def working_on(self, client, store=None):
        """Engine and work of the states, put together for a store; without one for the workshop's own."""
        store = store or self.store
        engine = WorkflowEngine(store=store, journal=self.journal)
        slots = slots_of(store, self.settings)
        yield (
            engine,
            VideoSteps(client, store, outputs=self.outputs, settings=self.settings, slots=slots, journal=self.journal),
        )
