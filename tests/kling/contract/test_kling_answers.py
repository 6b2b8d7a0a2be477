"""Odd values inside answers: any JSON is read, and nothing is made up."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_klingvideo.kling import TaskStatus
from airflow_provider_klingvideo.kling.services.billing import parse_packs
from airflow_provider_klingvideo.kling.wire.bills import Bill
from airflow_provider_klingvideo.kling.wire.tasks import Task, parse_task, parse_tasks

KEYS = """
    id task_id status task_status message task_status_msg external_id task_info external_task_id outputs
    task_result videos type url watermark_url duration billing amount final_unit_deduction create_time
    created_at update_time result code resource_pack_subscribe_infos resource_pack_name total_quantity
    remaining_quantity
""".split()  # noqa: SIM905 - a table of words
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=6)
    | st.sampled_from(["1e999999", "9e999999999999", "-1e-99999999", "NaN", "Infinity", "succeed", "1", "\ud800"])
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
    max_leaves=25,
)


@given(JSON)
def test_any_json_is_read_as_tasks(data: Any) -> None:
    for task in [*parse_tasks(data), *filter(None, [parse_task(data)])]:
        assert isinstance(task, Task)
        assert task.id
        assert all(isinstance(text, str) for text in (task.id, task.status_word, task.message))
        assert len(str(task.bill)) < 400
        assert isinstance(task.public_answer(), dict)
        json.dumps([output.duration for output in task.outputs], allow_nan=False)


@given(JSON)
def test_any_json_is_read_as_packs_or_refused(data: Any) -> None:
    if isinstance(data, dict) and data.get("code"):
        with pytest.raises(ValueError, match="could not be read"):
            parse_packs(data)
    else:
        assert all(isinstance(pack.name, str) for pack in parse_packs(data))


@pytest.mark.parametrize("odd", [{"a": 1}, ["1"], True, 1.5, None, "", {}])
def test_what_is_no_text_is_no_id_and_no_address(odd: Any) -> None:
    assert parse_task({"id": odd}) is None
    task = parse_task({"id": "1", "external_id": odd, "outputs": [{"type": "video", "url": odd}]})
    assert task is not None
    assert (task.external_id, task.video) == (None, None)


def test_a_number_is_an_id_in_full() -> None:
    task = parse_task({"task_id": 926484082518392851})
    assert task is not None
    assert task.id == "926484082518392851"


@pytest.mark.parametrize("odd", ["1e99", "two", "NaN", "-Infinity", True, [], {}, None])
def test_an_amount_a_length_or_a_time_that_is_none_is_not_known(odd: Any) -> None:
    task = parse_task({"id": "1", "billing": [{"amount": odd}], "outputs": [{"duration": odd}], "create_time": odd})
    assert task is not None
    assert (task.bill, task.outputs[0].duration, task.created_at) == (None, None, None)


def test_a_time_beyond_the_calendar_is_not_known() -> None:
    task = parse_task({"id": "1", "create_time": 10**19, "update_time": "1788919537338"})
    assert task is not None
    assert task.created_at is None
    assert task.updated_at is not None
    assert task.updated_at.isoformat() == "2026-09-09T02:05:37.338000+00:00"


def test_several_amounts_of_units_are_added_and_one_that_is_not_known_is_passed_over() -> None:
    task = parse_task(
        {"id": "1", "billing": [{"charge_type": "unit", "amount": one} for one in ("0.1", "0.2", "?")] + ["3"]}
    )
    assert task is not None
    assert task.bill == Bill(units=Decimal("0.3"))


@pytest.mark.parametrize("word", ["", "reviewing", "SUCCEED", "cancelled"])
def test_an_unknown_word_is_no_end(word: str) -> None:
    task = parse_task({"id": "1", "status": word})
    assert task is not None
    assert (task.status, task.status_word, task.status.is_terminal) == (TaskStatus.UNKNOWN, word, False)


def test_the_answer_for_the_record_has_no_signatures() -> None:
    raw = {"id": "1", "outputs": [{"url": "https://cdn/a.mp4?Signature=x", "watermark_url": "http://cdn/b?y"}], "n": 1}
    task = parse_task(raw)
    assert task is not None
    assert task.public_answer() == {
        "id": "1",
        "outputs": [{"url": "https://cdn/a.mp4?...", "watermark_url": "http://cdn/b?..."}],
        "n": 1,
    }
    assert "Signature" not in repr(task)
