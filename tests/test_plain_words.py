"""What people write and pydantic reads: every fault names the field and what is legal, in nobody's jargon."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from airflow_provider_klingvideo.errors import Fault, KlingVideoError
from airflow_provider_klingvideo.kling import PRODUCTS, parse_request
from airflow_provider_klingvideo.media import RenderPlan
from airflow_provider_klingvideo.media.film.film_plan import FilmPlan

JARGON = re.compile(
    r"pydantic|Input should|Value error|Field required|Extra inputs|valid (tuple|string|integer|number|dict|list|bool)"
    r"|extra_forbidden|\w_type\b|\w_parsing\b|literal_error|model_attributes|\bunable to\b|instance of"
    r"|\b(str|int|float|bool|dict|tuple|NoneType|Mapping|Sequence|Decimal|Literal)\b"
)
# No letters of which a word of jargon could be made: what is quoted is the sender's.
TEXTS = st.text("xyz 0159.,:{}[]\"'\\/é狐\ud83e", max_size=12)
JSON_TEXTS = st.sampled_from(
    ["[", "{", "[]", "{}", '["x"]', '{"x": 1}', '[{"x": [1]}]', '[{"prompt": "x"', "[1, 2]", "{'x': 1}", "[" * 2000]
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | JSON_TEXTS
NAMES = st.sampled_from(["url", "id", "element_id", "prompt", "seconds", "file", "preset", "text", "kind", "x"])
JUNK = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3))

Read = Callable[[Mapping[str, Any]], Any]


def ordering(kind: str) -> Read:
    return lambda values: parse_request({**values, "kind": kind})


READERS: dict[str, tuple[type[BaseModel], Read]] = {
    **{kind: (product.request, ordering(kind)) for kind, product in PRODUCTS.items()},
    "render plan": (RenderPlan, RenderPlan.parse),
    "film": (FilmPlan, FilmPlan.parse),
}


def faults_of(read: Read, values: Any) -> tuple[Fault, ...]:
    error: KlingVideoError | None = None
    try:
        read(values)
    except KlingVideoError as raised:
        error = raised
    assert error is None or (error.faults and error.advice)
    return error.faults if error else ()


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=40)
@given(st.data())
def test_any_junk_is_told_in_plain_words_with_the_field_and_what_is_legal(name, data):
    model, read = READERS[name]
    fields = st.sampled_from([one for one in model.model_fields if one != "kind"] + ["x", "xyzzy", "Model Name"])
    values = data.draw(st.dictionaries(fields, JUNK, max_size=5))
    for fault in faults_of(read, values):
        assert not JARGON.search(str(fault)), str(fault)
        assert fault.where.split(".")[0] in {*values, *model.model_fields, "the request", "the plan", "the film"}
        assert fault.what.strip()
        assert fault.legal.strip()
        assert len(str(fault)) < 1000


@pytest.mark.parametrize("values", [None, 3, "x", [3], "[1", "{", True, [["web"]], '["nope"]'])
def test_a_plan_that_is_no_object_is_told_in_plain_words(values):
    for read in (RenderPlan.parse, FilmPlan.parse):
        assert not JARGON.search(" ".join(map(str, faults_of(read, values))))


TURBO = {"prompt": "A fox"}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({**TURBO, "duration": "5s"}, "duration: '5s' is not a number (legal: a whole number)"),
        ({**TURBO, "duration": "five"}, "duration: 'five' is not a number"),
        ({**TURBO, "duration": 5.5}, "duration: 5.5 is not a whole number"),
        ({**TURBO, "duration": [5]}, "duration: [5] is not a whole number"),
        ({**TURBO, "cfg_scale": "x"}, "cfg_scale: 'x' is not a number"),
        ({**TURBO, "cfg_scale": 2}, "cfg_scale: 2 is too large (legal: a number, at least 0, at most 1)"),
        (
            {**TURBO, "cfg_scale": float("nan")},
            "cfg_scale: nan is not a finite number (legal: a number, at least 0, at most 1)",
        ),
        (
            {**TURBO, "cfg_scale": float("inf")},
            "cfg_scale: inf is not a finite number (legal: a number, at least 0, at most 1)",
        ),
        ({**TURBO, "cfg_scale": float("nan")}, "cfg_scale: nan is "),
        ({**TURBO, "audio": "loud"}, "audio: 'loud' is none of the choices (legal: default, native, off)"),
        ({**TURBO, "watermark": "perhaps"}, "watermark: 'perhaps' is neither true nor false (legal: true or false)"),
        ({"prompt": ["A fox"]}, "prompt: ['A fox'] is not a text (legal: a text)"),
        ({**TURBO, "shots": "A fox"}, "shots: 'A fox' is not a list (legal: a list, each an object with the fields"),
        ({**TURBO, "shots": '[{"prompt": "A"'}, "is not valid JSON: line 1, column 16: "),
        (
            {**TURBO, "shots": "[{'prompt': 'A', 'seconds': 5}]"},
            "texts need double quotes; in a template write | to",
        ),
        ({"kind": "avatar", "image": ""}, "image: '' is too short (legal: an http(s) URL or the path of a picture)"),
        ({**TURBO, "shots": '[{"prompt": "A"}]'}, "shots.0.seconds: is missing (legal: a whole number)"),
        ({**TURBO, "shots": [{"prompt": "A", "duration": 3}]}, "shots.0.duration: `duration` is called `seconds` here"),
        ({"kind": "image", "prompt": " "}, "prompt: ' ' is blank (legal: a text that says something)"),
        (
            {"kind": "omni_image", "prompt": "A", "series": "x"},
            "series: 'x' is not a number (legal: a whole number or auto)",
        ),
        ({"kind": "hologram"}, "kind: there is no kind 'hologram' (legal: text_to_video, image_to_video"),
        ({"kind": "text_to_vide"}, "kind: there is no kind 'text_to_vide'; did you mean text_to_video?"),
        ({**TURBO, "duratio": 5}, "duratio: `duratio` is not a field; did you mean `duration`?"),
        ({**TURBO, "notes": "ask Tom"}, "notes: `notes` is not a field (legal: the fields kind, callback_url"),
    ],
)
def test_a_fault_of_a_request_word_for_word(values, words):
    assert words in "; ".join(map(str, faults_of(parse_request, values)))


ELEMENT = {"element_id": "829836802793406551", "id": "hero"}


@pytest.mark.parametrize(
    ("kind", "field", "text", "value"),
    [
        ("omni_video", "elements", '[{"element_id": "829836802793406551", "id": "hero"}]', [ELEMENT]),
        ("omni_video", "elements", ' [{"element_id": 829836802793406551, "id": "hero"}]\n', [ELEMENT]),
        ("omni_video", "elements", ['{"element_id": "829836802793406551", "id": "hero"}'], [ELEMENT]),
        ("omni_video", "elements", "[]", []),
        ("omni_video", "reference_video", '{"url": "https://e.org/a.mp4"}', {"url": "https://e.org/a.mp4"}),
        ("omni_video", "reference_images", '[{"url": "a.png", "id": null}]', [{"url": "a.png"}]),
        ("text_to_video", "shots", '[{"prompt": "A", "seconds": "5"}]', [{"prompt": "A", "seconds": 5}]),
        ("image_to_video", "voices", '[{"voice_id": 12, "id": "v"}]', [{"voice_id": "12", "id": "v"}]),
        ("motion_control", "element", '{"element_id": "1", "id": "e"}', {"element_id": "1", "id": "e"}),
        ("effect", "images", '["a.png", "b.png"]', ["a.png", "b.png"]),
        ("multi_image", "subject_images", '["a.png"]', ["a.png"]),
        ("custom_element", "tags", '["animal"]', ["animal"]),
        ("talking_agent", "selling_points", '["[new] light", "cheap"]', ["[new] light", "cheap"]),
        ("drama_subtitle", "glossary", '[{"source": "a", "target": "b"}]', [{"source": "a", "target": "b"}]),
    ],
)
def test_lists_and_objects_may_be_the_json_text_of_a_cell(kind, field, text, value):
    fields = PRODUCTS[kind].request.model_fields
    needed = {
        **{name: "x" for name, one in fields.items() if one.is_required()},
        **({"first_frame": "a.png"} if "first_frame" in fields else {}),
        **({"images": ["a.png"]} if kind == "effect" else {}),
        "kind": kind,
    }
    assert parse_request({**needed, field: text}) == parse_request({**needed, field: value})


@pytest.mark.parametrize("prompt", ["[brackets] in a prompt", "{braces}", '["A fox"]', '{"a": 1}'])
def test_a_text_stays_a_text(prompt):
    assert parse_request({"prompt": prompt}).prompt == prompt


def test_parts_of_plans_may_be_json_text():
    plan = RenderPlan.parse({"outputs": '["web"]', "gates": '{"black": "fail"}'})
    assert plan == RenderPlan.parse({"outputs": ["web"], "gates": {"black": "fail"}})
    assert RenderPlan.parse(['{"preset": "web", "width": 640}']) == RenderPlan.parse([{"preset": "web", "width": 640}])
    film = FilmPlan.parse({"order": "[2, 1]", "transition": '{"kind": "fade"}', "title": "{A} fox"})
    assert film == FilmPlan.parse({"order": [2, 1], "transition": {"kind": "fade"}, "title": "{A} fox"})
