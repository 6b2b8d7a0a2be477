"""Kling's answers, read."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_klingvideo.kling import TaskStatus
from airflow_provider_klingvideo.kling.services.billing import parse_packs
from airflow_provider_klingvideo.kling.wire.tasks import parse_task, parse_tasks

# kling-api section 6.4.
NEW = {
    "id": "933557962801545273",
    "status": "succeeded",
    "message": "",
    "create_time": 1790605869865,
    "update_time": 1790605899000,
    "external_id": "run-42",
    "outputs": [{"type": "video", "id": "v", "url": "https://cdn/x.mp4?Signature=1", "duration": "5.041"}],
    "billing": [{"charge_type": "unit", "amount": "3", "package_type": "video"}],
}
# kling-api section 7.1.
LEGACY = {
    "task_id": "867283741759111202",
    "task_status": "succeed",
    "task_status_msg": "",
    "task_info": {"external_task_id": "run-42"},
    "task_result": {"videos": [{"id": "v", "url": "https://cdn/x.mp4?Signature=1", "duration": "5.1"}]},
    "final_unit_deduction": "2.5",
    "created_at": 1722769557708,
    "updated_at": 1722769620000,
}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=5),
    max_leaves=20,
)
task_like = st.fixed_dictionaries({}, optional=dict.fromkeys({**NEW, **LEGACY}, json_values))


@pytest.mark.scenario(27)
@pytest.mark.parametrize(("answer", "seconds", "units"), [(NEW, 5.041, "3"), (LEGACY, 5.1, "2.5")])
def test_both_generations_become_the_same(answer, seconds, units):
    task = parse_task(answer)
    assert (task.status, task.external_id, task.video.duration, task.bill.units) == (
        TaskStatus.SUCCEEDED,
        "run-42",
        seconds,
        Decimal(units),
    )
    assert task.created_at < task.updated_at


@pytest.mark.scenario(27)
@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("submitted", TaskStatus.SUBMITTED),
        ("processing", TaskStatus.PROCESSING),
        ("succeed", TaskStatus.SUCCEEDED),
        ("succeeded", TaskStatus.SUCCEEDED),
        ("failed", TaskStatus.FAILED),
        ("warming_up", TaskStatus.UNKNOWN),
        (None, TaskStatus.UNKNOWN),
    ],
)
def test_an_unknown_status_word_is_no_failure(word, status):
    task = parse_task({**NEW, "status": word})
    assert task.status is status
    assert task.status.is_terminal == (status in (TaskStatus.SUCCEEDED, TaskStatus.FAILED))


def test_a_failure_keeps_the_vendors_words_and_what_was_billed():
    task = parse_task(
        {"id": "1", "status": "failed", "message": "Image pixel is invalid", "billing": [{"amount": "0"}]}
    )
    assert (task.message, task.bill.units, task.video) == ("Image pixel is invalid", Decimal(0), None)


def test_an_output_without_an_address_is_no_video():
    assert parse_task({**NEW, "outputs": [{"type": "video", "url": ""}]}).video is None


@pytest.mark.scenario(27)
def test_lists_pages_and_single_tasks_are_read_alike():
    assert [t.id for t in parse_tasks([NEW, {}, None])] == [NEW["id"]]
    assert [t.id for t in parse_tasks({"result": [NEW], "count": 1})] == [NEW["id"]]
    assert [t.id for t in parse_tasks(LEGACY)] == [LEGACY["task_id"]]
    assert parse_tasks({"count": 0, "has_more": False}) == []


def test_the_public_answer_has_no_signed_query():
    assert "Signature" not in str(parse_task(NEW).public_answer())
    assert parse_task(NEW).public_answer()["outputs"][0]["url"] == "https://cdn/x.mp4?..."


@given(json_values | task_like | st.lists(task_like))
def test_no_answer_breaks_the_reader(answer):
    for task in parse_tasks(answer):
        assert isinstance(task.status, TaskStatus)
        task.public_answer()
    parse_packs(answer)
    parse_packs({"resource_pack_subscribe_infos": answer})
