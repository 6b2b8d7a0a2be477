"""The trigger form: what a person fills in is what the request says, lists and objects included."""

from __future__ import annotations

import json
from typing import Any

import jinja2
import pytest
from jinja2.nativetypes import NativeEnvironment

from airflow_provider_klingvideo.kling import parse_request
from airflow_provider_klingvideo.params import request_from_params
from airflow_provider_klingvideo.runtime.batches.checks import requests_from
from airflow_provider_klingvideo.workflow.inputs.creation import asked_for, request_of

ELEMENTS = [{"element_id": "829836802793406551", "id": "hero"}]
SHOTS = [{"prompt": "A <fox> & 'friends'", "seconds": 5}]
FORMS: list[dict[str, Any]] = [
    {"prompt": "A fox", "duration": 10, "watermark": True, "negative_prompt": None},
    {"prompt": "[A] {fox}, \"quoted\" and 'single'", "duration": "5"},
    {"prompt": "", "shots": SHOTS},
    {
        "kind": "omni_video",
        "prompt": "@hero waves",
        "elements": ELEMENTS,
        "reference_video": {"url": "https://e.org/a"},
    },
    {"kind": "omni_video", "prompt": "A fox", "elements": [], "reference_images": [{"url": "a.png", "id": None}]},
]


@pytest.mark.parametrize("environment", [jinja2.Environment(), NativeEnvironment()], ids=["text", "native"])
@pytest.mark.parametrize("form", FORMS)
def test_what_is_filled_in_is_what_is_asked_for(environment, form):
    templates = request_from_params(form)
    rendered = {name: environment.from_string(text).render(params=form) for name, text in templates.items()}
    expected = {name: value for name, value in form.items() if value not in (None, "")}
    assert request_of(*asked_for(rendered))[0] == parse_request(expected)


def test_the_rows_of_a_batch_may_be_json_text():
    rows = [{"prompt": "A fox"}, {"prompt": "A boat", "duration": 10}]
    assert requests_from(json.dumps(rows)) == rows


@pytest.mark.parametrize("text", ['{"prompt": "A fox", "duration": "10"}', ' {"prompt": "A fox", "duration": 10}\n'])
def test_a_whole_request_may_be_json_text(text):
    assert request_of(*asked_for(text))[0] == parse_request({"prompt": "A fox", "duration": 10})
