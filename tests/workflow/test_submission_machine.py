"""The submission protocol against a real sandbox, in any order of faults, crashes, clears and edits."""

from __future__ import annotations

import asyncio
import tempfile
from itertools import pairwise
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from workshop import KEY

from airflow_provider_klingvideo.errors import KlingVideoError
from airflow_provider_klingvideo.kling import ApiFamily, ApiKeyAuth, AsyncKlingClient, parse_request
from airflow_provider_klingvideo.sandbox import SandboxServer, SandboxSettings
from airflow_provider_klingvideo.workflow import TRANSITIONS, JobStore, WorkflowEngine, WorkflowJob, reopened
from airflow_provider_klingvideo.workflow import WorkflowState as S
from airflow_provider_klingvideo.workflow.ordering.paid_once import PaidOnce
from airflow_provider_klingvideo.workflow.ordering.submission import TakeRules, WantedVideo, call_for, ensure_task

CREATE = {"method": "POST", "path": "/text-to-video/*"}
FAULTS = [
    {"type": "drop_before"},
    {"type": "drop_after"},
    {"type": "store_then_error", "code": 5002},
    {"type": "html", "http_status": 502},
    {"type": "html", "http_status": 504, "store": True},
    {"type": "half_body", "fraction": 0.4},
    {"type": "refuse", "code": 1303},
    {"type": "refuse", "code": 1201, "http_status": 400, "message": "prompt is bad"},
    {"type": "rate_limit"},
]
SERVER = SandboxServer(SandboxSettings(queue_seconds=0, generation_seconds=0, slots=10_000))


class CrashError(BaseException):
    """The process dies."""


def generating(prompt):
    job = WorkflowJob(id="job-1", prompt=prompt)
    for state in (S.VALIDATED, S.QUEUED, S.GENERATING):
        WorkflowEngine().transition(job, state)
    return job


class Submissions(RuleBasedStateMachine):
    """One job, submitted again and again."""

    @initialize()
    def begin(self):
        SERVER.reset()
        self.folder = tempfile.TemporaryDirectory()
        self.store = JobStore(Path(self.folder.name))
        self.store.save(generating("a"))
        self.records_lost = 0
        # What somebody has asked for: prompt and take.
        self.asked = set()
        self.number = 1

    @rule(fault=st.sampled_from(FAULTS), times=st.integers(1, 2))
    def the_vendor_goes_wrong(self, fault, times):
        SERVER.add_rule({"match": CREATE, "action": fault, "times": times})

    @rule(times=st.integers(1, 3))
    def the_look_up_goes_wrong(self, times):
        SERVER.add_rule({"match": {"method": "GET", "path": "/tasks"}, "action": {"type": "html"}, "times": times})

    @rule(times=st.integers(1, 3))
    def the_vendors_list_lags(self, times):
        lag = {"type": "omit_from_batch"}
        SERVER.add_rule({"match": {"method": "GET", "path": "/tasks"}, "action": lag, "times": times})

    @rule(prompt=st.sampled_from("ab"))
    def somebody_edits_the_prompt_and_clears(self, prompt):
        job = self.store.load("job-1")
        again = reopened(job, S.GENERATING)
        again.prompt = prompt
        self.store.save(again)

    @rule()
    def somebody_asks_for_another_generation(self):
        self.number = min(self.number + 1, 3)

    @rule()
    def the_record_is_lost(self):
        prompt = self.store.load("job-1").prompt
        (self.store.folder("job-1") / "job.json").unlink()
        self.store.save(generating(prompt))
        self.records_lost += 1

    @rule(dies_at=st.one_of(st.none(), st.integers(1, 6)))
    def submit(self, dies_at):
        job = self.store.load("job-1")
        saves = 0

        async def keep(call, token, *, first):
            nonlocal saves
            for save in (lambda: self.store.note(job.id, call, token, first=first), lambda: self.store.save(job)):
                saves += 1
                if saves == dies_at:
                    raise CrashError
                await asyncio.to_thread(save)

        async def as_it_is(wanted):
            return wanted.request

        async def ensure():
            async with AsyncKlingClient(ApiKeyAuth(KEY), base_url=SERVER.url, read_attempts=1) as client:
                request = parse_request({"prompt": job.prompt, "model": "kling-2.5-turbo"})
                wanted = WantedVideo(request, request, ApiFamily.NEW)
                call = call_for(job, wanted, TakeRules(take=self.number))
                await ensure_task(client, job, call, wanted, as_it_is, PaidOnce(keep))
                return call

        self.asked.add((job.prompt, self.number))
        try:
            call = asyncio.run(ensure())
        except (CrashError, KlingVideoError):
            return
        assert call.task_id in {task["id"] for task in SERVER.ledger()["tasks"]}

    @invariant()
    def nothing_is_paid_twice_and_no_handle_is_lost(self):
        tasks = SERVER.ledger()["tasks"]
        assert len({task["external_id"] for task in tasks}) == len(tasks) <= len(self.asked)
        job = self.store.load("job-1")
        intents = {one.external_task_id: one.task_id for one in job.submissions}
        for task in tasks if not self.records_lost else ():
            # An intent on record leads to every task, also where its answer was lost.
            assert intents[task["external_id"]] in (None, task["id"])
        # Whoever may have paid is never told that nothing was spent.
        for one in job.submissions if not self.records_lost else ():
            assert not one.is_refused or one.external_task_id not in {task["external_id"] for task in tasks}
        assert all(TRANSITIONS.allows(old, new) for old, new in pairwise(job.path))

    def teardown(self):
        # Once Kling is well, every task that exists is found and none is ordered anew.
        SERVER.clear_rules()
        before = {task["external_id"]: task["id"] for task in SERVER.ledger()["tasks"]}
        if self.asked:
            self.submit(dies_at=None)
        job = self.store.load("job-1")
        found = {one.external_task_id: one.task_id for one in job.submissions if one.task_id}
        assert all(before[name] == found[name] for name in before.keys() & found.keys())
        self.folder.cleanup()


class TestSubmissions(Submissions.TestCase):
    settings = settings(max_examples=150, stateful_step_count=15, suppress_health_check=list(HealthCheck))

    @classmethod
    def setUpClass(cls):
        SERVER.start()

    @classmethod
    def tearDownClass(cls):
        SERVER.stop()
