"""JSON text as people and other programs write it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_klingvideo._json import read_json, read_rows_json
from airflow_provider_klingvideo.kling import InvalidRequestError, parse_request
from airflow_provider_klingvideo.media.outputs.plan import PlanError, RenderPlan
from airflow_provider_klingvideo.workflow.inputs.creation import given_fields

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**38), 10**38)
    | st.floats(allow_nan=False, allow_infinity=False)
    # Control characters and halves of characters are refused, see below.
    | st.text(st.characters(exclude_categories=["Cc", "Cs", "Cn"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(categories=["L"])), inner),
    max_leaves=20,
)
BAD = {
    "a name twice": ('{"a": 1, "a": 1}', "`a` is given more than once"),
    "deeper": ('[{"b": [{"a": 1, "a": 2}]}]', "`a` is given more than once"),
    "no number": ('{"a": NaN}', "NaN is no number of JSON"),
    "endless": ("[-Infinity]", "is no number of JSON"),
    "long": (f"[{'9' * 41}]", "41 digits"),
    "NUL": ('["a\\u0000b"]', "a control character"),
    "half a character": ('["\\ud83d"]', "half a character"),
    "in a name": ('{"a\\u0007": 1}', "a control character"),
    "cut": ('{"a": 1', "delimiter"),
}


@given(VALUES)
def test_what_was_written_comes_back(value):
    assert read_json(json.dumps(value)) == value == read_rows_json(json.dumps(value))


@pytest.mark.parametrize(("text", "words"), BAD.values(), ids=BAD)
def test_what_nobody_means_is_refused(text, words):
    with pytest.raises(ValueError, match=words):
        read_json(text)


@pytest.mark.parametrize(("text", "words"), BAD.values(), ids=BAD)
def test_wherever_it_stands(text, words):
    with pytest.raises(InvalidRequestError, match=words):
        given_fields(text)
    with pytest.raises(PlanError, match=words):
        RenderPlan.parse({"outputs": f'[{{"preset": {text}}}]'} if text[0] == "{" else {"outputs": text})
    with pytest.raises(InvalidRequestError, match=words):
        parse_request({"prompt": "A fox", "shots": text})
