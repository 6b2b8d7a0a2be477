"""Each task of a job fails or is skipped, alone and in a mapped group."""

from __future__ import annotations

import json
from typing import NamedTuple

import pytest

from .conftest import FOX
from .test_batch_dag import CHAIN, KEY, expected_states

pytestmark = pytest.mark.airflow


class Case(NamedTuple):
    """What a broken task leaves: state, failure and money on record, and how the two handlers end."""

    record: tuple[str, str, str] | None
    failed: str = "skipped"
    cancelled: str = "skipped"


# The record is closed from the state in which the job really was, since the task never began. Where a skip or the table
# leaves no handler to do so, the verdict does. A job that was never begun has nothing that a handler could close.
CASES = {
    "fail:created": Case(None),
    "fail:validated": Case(("FAILED", "abandoned", "none"), failed="success"),
    "fail:queued": Case(("FAILED", "abandoned", "none"), failed="success"),
    "fail:generating": Case(("CANCELLED", "abandoned", "none")),
    "fail:generation": Case(("FAILED", "abandoned", "maybe"), failed="success"),
    "fail:post_processing": Case(("FAILED", "abandoned", "billed"), failed="success"),
    "fail:completed": Case(("FAILED", "abandoned", "billed"), failed="success"),
    "skip:created": Case(None),
    "skip:validated": Case(("FAILED", "abandoned", "none")),
    "skip:queued": Case(("CANCELLED", "abandoned", "none"), cancelled="success"),
    "skip:generating": Case(("CANCELLED", "abandoned", "none")),
    "skip:generation": Case(("FAILED", "abandoned", "maybe")),
    "skip:post_processing": Case(("FAILED", "abandoned", "billed")),
    "skip:completed": Case(("FAILED", "abandoned", "billed")),
}
# A task is ordered wherever the operator that orders has its turn.
PAID = {"generation", "post_processing", "completed"}
NEVER_STARTED = {"fail": ("failed", "upstream_failed"), "skip": ("skipped", "skipped")}


def states_after(name):
    how, _, broken = name.partition(":")
    place, case = CHAIN.index(broken), CASES[name]
    own, below = NEVER_STARTED[how]
    chain = ["success"] * place + [own] + [below] * (len(CHAIN) - place - 1)
    # A task that skips the beginning of a job leaves the whole job out.
    verdict = {"skip:created": "skipped"}.get(name, "failed")
    if case.record and case.record[0] == "CANCELLED":
        verdict = "success"
    return {
        **dict(zip(CHAIN, chain, strict=True)),
        "failed": case.failed,
        "cancelled": case.cancelled,
        "verdict": verdict,
    }


def on_record(job):
    return (str(job.state), job.failure["kind"], job.failure["money"])


def paid(names):
    return sum(name.partition(":")[2] in PAID for name in names)


@pytest.mark.scenario(44)
def test_every_task_fails_or_is_skipped_in_a_mapped_group_and_no_other_job_is_touched(airflow, sandbox):
    prompts = [*CASES, "fine"]
    run = airflow.run("breaking_batch", requests=[{**FOX, "prompt": prompt} for prompt in prompts])
    manifest = json.loads((run.store.base / f"{KEY}.manifest.json").read_text())
    for index, (name, case) in enumerate(CASES.items()):
        assert run.tasks(index, f"{KEY}.") == states_after(name), name
        if case.record:
            assert on_record(run.job(index, KEY)) == case.record, name
        else:
            assert manifest["jobs"][index]["state"] == "NO_RECORD", name
    assert run.tasks(len(CASES), f"{KEY}.") == expected_states()
    assert (run.job(len(CASES), KEY).state, run.state) == ("COMPLETED", "failed")
    assert len(sandbox.ledger()["tasks"]) == paid(CASES) + 1


@pytest.mark.scenario(44)
@pytest.mark.parametrize("name", ["fail:queued", "fail:generation", "skip:queued", "skip:generation"])
def test_a_task_of_a_single_job_fails_or_is_skipped_and_the_run_says_what_the_record_says(airflow, sandbox, name):
    run = airflow.run("breaking", request={**FOX, "prompt": name})
    states = states_after(name)
    assert run.tasks() == states
    assert on_record(run.job()) == CASES[name].record
    assert run.state == states["verdict"]
    assert len(sandbox.ledger()["tasks"]) == paid([name])
