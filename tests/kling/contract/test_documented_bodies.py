"""Nothing is sent that Kling's document does not have: it would be ignored, and the wrong thing billed."""

from __future__ import annotations

import json
from importlib.resources import files

import pytest
from product_requests import LEGAL

from airflow_provider_klingvideo.kling import ApiFamily, InvalidRequestError, parse_request
from airflow_provider_klingvideo.kling.client.operations import create

ROWS = json.loads(files("airflow_provider_klingvideo.kling.client").joinpath("endpoints.json").read_text())
DOCUMENTED = {row["path"]: row for row in ROWS if row["kind"] == "create"}
# What the document says in a note beside the fields.
NOTED = {"/solutions/e-commerce/clothing_dupe": {"options.watermark_info.enabled"}}
EXTRAS = {"watermark": True, "callback_url": "https://example.org/callback"}
CASES = [(name, family) for name, (families, _) in LEGAL.items() for family in families]


def fields_of(value, where=""):
    """Every field of a body as the document writes it: ``settings.audio``, ``face_choose[].face_id``."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from fields_of(inner, f"{where}.{name}" if where else name)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for inner in value:
            yield from fields_of(inner, f"{where}[]")
    else:
        yield where


def is_documented(field, known):
    """Whether the document has it: what lies in a list or an object that it does not take apart is in its notes."""
    parts = field.replace("[]", "").split(".")
    return any(".".join(parts[:length]) in known for length in range(1, len(parts) + 1))


@pytest.mark.parametrize(("name", "family"), CASES, ids=[f"{name}-{family}" for name, family in CASES])
def test_every_field_is_documented(name, family):
    fields = {**LEGAL[name][1], **EXTRAS}
    if "watermark" not in type(parse_request(LEGAL[name][1])).model_fields:
        del fields["watermark"]
    operation = create(parse_request(fields), family, "job-1")
    row = DOCUMENTED[operation.path]
    known = {field.replace("[]", "") for field in row["fields"]} | NOTED.get(operation.path, set())
    sent = set(fields_of(operation.json))
    assert {field for field in sent if not is_documented(field, known)} == set()
    if family is not ApiFamily.LEGACY and "contents" in operation.json:
        assert {item["type"] for item in operation.json["contents"]} <= set(row["contents"])


def with_unknown_fields(value):
    """The request, once for each object in it, with a field that it does not have."""
    if isinstance(value, dict):
        yield {**value, "durration": 5}
        yield from ({**value, name: inner} for name, some in value.items() for inner in with_unknown_fields(some))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from ([*value[:index], inner, *value[index + 1 :]] for inner in with_unknown_fields(item))


@pytest.mark.parametrize("name", LEGAL)
def test_a_field_that_there_is_not_is_refused_at_every_depth(name):
    parse_request(LEGAL[name][1])
    for fields in with_unknown_fields(LEGAL[name][1]):
        with pytest.raises(InvalidRequestError, match="`durration` is not a field"):
            parse_request(fields)
