"""Records as they were written earlier, and with fields of a version to come, are taken up where they stand.

The files were kept from a job in the sandbox, saved in every state; only their date was put back by a year.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from workshop import KEY, Workshop

from airflow_provider_klingvideo.kling import ApiKeyAuth, KlingClient, parse_request
from airflow_provider_klingvideo.workflow import WorkflowState

RECORDS = sorted(Path(__file__).parent.joinpath("records").glob("*.json"))


@pytest.fixture
def sandbox(quick_sandbox):
    quick_sandbox.reset()
    return quick_sandbox


def ordered_then(sandbox, record):
    """Kling's id of the task that the record's job had ordered."""
    with KlingClient(ApiKeyAuth(KEY), base_url=sandbox.url) as client:
        request = parse_request({"prompt": record["prompt"], **record["params"]})
        task = client.create(request, external_task_id=record["external_task_id"])
        while not client.get_task(task.id, kind=request.kind).status.is_terminal:
            pass
        return task.id


@pytest.mark.scenario(47)
@pytest.mark.parametrize("later", [{}, {"of_tomorrow": {"colour": "red"}}], ids=["earlier", "later"])
@pytest.mark.parametrize("file", RECORDS, ids=lambda file: file.stem)
def test_a_record_of_another_version_is_taken_up(sandbox, tmp_path, file, later):
    text = file.read_text()
    record = json.loads(text)
    if record["external_task_id"]:
        then, now = record["klingai_job_id"], ordered_then(sandbox, record)
        record = json.loads(text.replace(then, now) if then else text)
    workshop = Workshop(sandbox, tmp_path)
    workshop.store.write(record["id"], "job.json", {**record, **later})

    job = workshop.process(workshop.store.load(record["id"]))

    (task,) = sandbox.ledger()["tasks"] or [{"id": None}]
    assert (job.state, job.klingai_job_id) == (WorkflowState.COMPLETED, task["id"]), job.error
    assert job.path[0] is WorkflowState.CREATED
    assert [one.model_dump(mode="json", by_alias=True) for one in job.history[: len(record["history"])]] == record[
        "history"
    ]
