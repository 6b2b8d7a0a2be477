"""Each task of a job fails or is skipped, alone and in a mapped group."""

from __future__ import annotations

import json

import pytest

from .conftest import FOX
from .test_batch_dag import CHAIN, KEY, expected_states

pytestmark = pytest.mark.airflow

# The state, failure and money on the record: that of the state in which the job really was, since the task never began.
RECORDS = {
    "created": None,
    "validated": ("FAILED", "abandoned", "none"),
    "generating": ("CANCELLED", "abandoned", "none"),
    "generation": ("FAILED", "abandoned", "maybe"),
    "post_processing": ("FAILED", "abandoned", "billed"),
    "completed": ("FAILED", "abandoned", "billed"),
}
QUEUED = {"fail:queued": ("FAILED", "abandoned", "none"), "skip:queued": ("CANCELLED", "abandoned", "none")}
CASES = {f"{how}:{task}": record for how in ("fail", "skip") for task, record in RECORDS.items()} | QUEUED
NEVER_STARTED = {"fail": ("failed", "upstream_failed"), "skip": ("skipped", "skipped")}


def record_of(run, index):
    manifest = json.loads((run.store.base / f"{KEY}.manifest.json").read_text())
    if manifest["jobs"][index]["state"] == "NO_RECORD":
        return None
    job = run.job(index, KEY)
    return (str(job.state), job.failure["kind"], job.failure["money"])


@pytest.mark.scenario(44)
def test_every_task_fails_or_is_skipped_in_a_mapped_group_and_no_other_job_is_touched(airflow, sandbox):
    prompts = [*CASES, "fine"]
    run = airflow.run("breaking_batch", requests=[{**FOX, "prompt": prompt} for prompt in prompts])
    for index, (case, record) in enumerate(CASES.items()):
        how, _, broken = case.partition(":")
        place = CHAIN.index(broken)
        own, below = NEVER_STARTED[how]
        states = run.tasks(index, f"{KEY}.")
        chain = ["success"] * place + [own] + [below] * (len(CHAIN) - place - 1)
        assert [states[task] for task in CHAIN] == chain, case
        assert record_of(run, index) == record, case
        assert states["verdict"] == ("success" if record and record[0] == "CANCELLED" else "failed"), case
    assert run.tasks(len(CASES), f"{KEY}.") == expected_states()
    assert (run.job(len(CASES), KEY).state, run.state) == ("COMPLETED", "failed")
    # A task was ordered wherever the operator that orders had its turn, once.
    paid = [
        prompt for prompt in prompts if prompt.partition(":")[2] in ("generation", "post_processing", "completed", "")
    ]
    assert len(sandbox.ledger()["tasks"]) == len(paid)
