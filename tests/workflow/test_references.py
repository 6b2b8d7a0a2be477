"""One job's result as another's input."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_klingvideo.workflow import WorkflowJob
from airflow_provider_klingvideo.workflow.inputs.references import reduced, resolved
from airflow_provider_klingvideo.workflow.job.errors import InputError
from airflow_provider_klingvideo.workflow.job.sections import Result

DONE = WorkflowJob(
    id="shot-1",
    state="COMPLETED",
    processed_url="s3://b/shot-1/master.mp4",
    result=Result(outputs=[{"type": "video", "url": "https://cdn/x.mp4"}, {"type": "element", "id": "829"}]),
).as_json()


@pytest.mark.parametrize(
    ("form", "value"),
    [
        ("file_of", "s3://b/shot-1/master.mp4"),
        ("last_frame_of", "s3://b/shot-1/master.mp4#last_frame"),
        ("id_of", "829"),
    ],
)
def test_a_reference_becomes_a_value_wherever_it_lies(form, value):
    request = {"elements": [{"element_id": {form: DONE}, "id": "hero"}], "first_frame": {form: DONE}, "duration": 5}
    kept = reduced(request)
    assert len(json.dumps(kept)) < 400
    for one in (request, kept, reduced(kept)):
        assert resolved(one) == {"elements": [{"element_id": value, "id": "hero"}], "first_frame": value, "duration": 5}


@pytest.mark.parametrize("state", ["CANCELLED", "FAILED", "GENERATING"])
def test_a_job_that_did_not_complete_is_no_input(state):
    with pytest.raises(InputError, match=f"job shot-1 is {state}"):
        resolved({"first_frame": {"file_of": {**DONE, "state": state}}})


@pytest.mark.parametrize("form", ["file_of", "last_frame_of", "id_of"])
def test_a_job_without_such_a_result_is_no_input(form):
    with pytest.raises(InputError, match=f"{form}: job shot-1 has no such result"):
        resolved([{form: {**DONE, "result": None, "processed_url": None}}])


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=20,
    )
)
def test_a_request_without_references_stays_as_it_is(value):
    assert resolved(reduced(value)) == value
