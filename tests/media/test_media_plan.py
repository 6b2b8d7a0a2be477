from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_klingvideo.errors import KlingVideoError, Money
from airflow_provider_klingvideo.media import Gates, Output, PlanError, RenderPlan, Trim
from airflow_provider_klingvideo.media.outputs.geometry import ASPECTS, around, inside, wanted_size
from airflow_provider_klingvideo.media.outputs.presets import ENCODER_PRESETS, PRESETS

TODAY = ["master.mp4", "poster.jpg", "preview.webp", "contact_sheet.jpg"]


def test_without_a_plan_there_are_four_outputs() -> None:
    assert [output.file_name for output in RenderPlan().outputs] == TODAY
    assert RenderPlan.parse(None) == RenderPlan.parse({}) == RenderPlan()
    assert [output.is_required for output in RenderPlan().outputs] == [True, False, False, False]


@pytest.mark.parametrize(
    "data", [["web"], [{"preset": "web"}], {"outputs": ["web"]}, '{"outputs": ["web"]}', '["web"]']
)
def test_what_is_read_as_a_plan(data: Any) -> None:
    assert RenderPlan.parse(data).outputs == (Output(preset="web"),)


def test_files_are_named_by_preset_and_name() -> None:
    outputs = RenderPlan.parse(
        ["webm", "hls", {"preset": "web", "name": "reel-1"}, {"preset": "hls", "name": "hls_small", "height": 360}]
    ).outputs
    assert [one.file_name for one in outputs] == ["webm.webm", "hls/index.m3u8", "reel-1.mp4", "hls_small/index.m3u8"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("{", "the plan: '{' is not valid JSON: line 1, column 2"),
        (3, "the plan: 3 is not an object"),
        ({"outputs": []}, "outputs: .* has too few entries .legal: a list with 1 to 24 entries"),
        ({"outputs": ["web"], "gate": {}}, "gate: `gate` is not a field; did you mean `gates`"),
        (["mp4"], "outputs.0.preset: 'mp4' is none of the choices .legal: master, web"),
        ([{}], "outputs.0.preset: is missing"),
        ([{"preset": "web", "bitrate": 1}], "outputs.0.bitrate: `bitrate` is not a field"),
        ([{"preset": "web", "width": 641}], "outputs.0.width: .*divisible by 2"),
        ([{"preset": "web", "width": 8000}], "outputs.0.width: 8000 is too large .*at most 7680"),
        ([{"preset": "gif", "width": 1920}], "`width` is 1920 .legal: 16 to 1280 for the preset gif"),
        ([{"preset": "web", "crf": 5}], "`crf` is 5 .legal: 10 to 40 for the preset web"),
        ([{"preset": "poster", "crf": 20}], "`crf` does not apply to the preset poster .legal: aspect"),
        ([{"preset": "master", "aspect": "1:1"}], "`aspect` does not apply to the preset master .*no options"),
        ([{"preset": "web", "aspect": "2:1"}], "outputs.0.aspect: '2:1' is none of the choices .legal: 16:9"),
        (
            [{"preset": "web", "aspect": "1:1", "fit": "stretch"}],
            "outputs.0.fit: 'stretch' is none of the choices .legal: crop, pad, blur",
        ),
        ([{"preset": "web", "fit": "blur"}], "`fit` is given alone .legal: with an `aspect`"),
        (
            [{"preset": "web", "aspect": "1:1", "width": 64, "height": 64}],
            "`aspect`, `width` and `height` are all given",
        ),
        (
            [{"preset": "web", "trim": {"start": 2, "end": 1}}],
            "outputs.0.trim: `end` is 1 .legal: later than `start`, which is 2",
        ),
        ([{"preset": "web", "trim": {"start": -1}}], "outputs.0.trim.start"),
        ([{"preset": "web", "speed": 4}], "outputs.0.speed"),
        ([{"preset": "web", "fps": 0}], "outputs.0.fps"),
        ([{"preset": "web", "fps": float("nan")}], "outputs.0.fps"),
        (
            [{"preset": "web", "encoder_preset": "placebo"}],
            "encoder_preset: 'placebo' is none of the choices .legal: ultrafast",
        ),
        ([{"preset": "web", "name": "../etc/passwd"}], "outputs.0.name"),
        ([{"preset": "web", "name": "a\n"}], "outputs.0.name"),
        ([{"preset": "web", "name": "source"}], "`name` is source .legal: any but source"),
        (["web", "web"], "two outputs called web"),
        ([{"preset": "poster", "name": "web"}, "web"], "two outputs called web"),
        (["web"] * 25, "outputs: .* has too many entries .legal: a list with 1 to 24"),
        ({"gates": {"black": "maybe"}}, "gates.black: 'maybe' is none of the choices .legal: off, warn, fail"),
        ({"gates": {"black_seconds": 0}}, "gates.black_seconds"),
    ],
)
def test_a_bad_plan_names_its_field(data: Any, words: str) -> None:
    with pytest.raises(PlanError) as caught:
        RenderPlan.parse(data)
    assert re.search(words, caught.value.message)
    assert isinstance(caught.value, KlingVideoError)
    assert caught.value.money is Money.NONE


def test_forms_are_told_what_there_is() -> None:
    schema = json.loads(json.dumps(RenderPlan.model_json_schema()))
    fields = schema["$defs"]["Output"]["properties"]
    assert fields["preset"]["enum"] == list(PRESETS)
    assert list(ASPECTS) in [one.get("enum") for one in fields["aspect"]["anyOf"]]


class TestFingerprint:
    def test_does_not_know_names(self) -> None:
        assert Output(preset="web").fingerprint == Output(preset="web", name="a", required=True).fingerprint

    @pytest.mark.parametrize(
        "options", [{"width": 64}, {"crf": 30}, {"trim": Trim(start=1)}, {"speed": 2}, {"aspect": "1:1"}]
    )
    def test_knows_everything_else(self, options: dict[str, Any]) -> None:
        assert Output(preset="web", **options).fingerprint != Output(preset="web").fingerprint

    def test_stays_the_same(self) -> None:
        assert Output(preset="web", aspect="9:16", fit="blur").fingerprint == "e9c6a86d533cc8bd"


sides = st.none() | st.integers(8, 640).map(lambda half: 2 * half)
outputs = st.fixed_dictionaries(
    {"preset": st.sampled_from(list(PRESETS))},
    optional={
        "name": st.from_regex(r"[a-z0-9][a-z0-9_-]{0,39}", fullmatch=True),
        "required": st.booleans(),
        "aspect": st.sampled_from(list(ASPECTS)),
        "fit": st.sampled_from(["crop", "pad", "blur"]),
        "width": sides,
        "height": sides,
        "fps": st.floats(1, 120),
        "trim": st.fixed_dictionaries({"start": st.floats(0, 5)}, optional={"end": st.floats(6, 10)}),
        "speed": st.floats(0.5, 2),
        "crf": st.integers(15, 40),
        "quality": st.integers(1, 100),
        "encoder_preset": st.sampled_from(ENCODER_PRESETS),
    },
)
gates = st.fixed_dictionaries(
    {}, optional={name: st.sampled_from(["off", "warn", "fail"]) for name in ("black", "frozen", "silent", "size")}
)


@given(st.lists(outputs, min_size=1, max_size=4), gates)
def test_a_plan_survives_json_or_is_refused_with_words(listed: list[dict[str, Any]], judged: dict[str, str]) -> None:
    try:
        plan = RenderPlan.parse({"outputs": listed, "gates": judged})
    except PlanError:
        return
    assert RenderPlan.parse(json.loads(plan.model_dump_json())) == plan
    names = [output.file_name for output in plan.outputs]
    assert len(set(names)) == len(names)
    for name in names:
        assert re.fullmatch(r"[a-z0-9][a-z0-9_-]*(/index)?\.\w+", name)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
fields = st.sampled_from([*Output.model_fields, *Gates.model_fields, "outputs", "gates", "start"])


@given(values | st.dictionaries(fields, values) | st.lists(st.dictionaries(fields, values), max_size=3))
def test_whatever_is_given_is_a_plan_or_a_plan_error(data: Any) -> None:
    try:
        assert isinstance(RenderPlan.parse(data), RenderPlan)
    except PlanError:
        return


SIZES = st.tuples(st.integers(2, 8000), st.integers(2, 8000))
BOXES = st.tuples(st.integers(8, 2000), st.integers(8, 2000)).map(lambda size: (2 * size[0], 2 * size[1]))


@given(SIZES, BOXES)
def test_pictures_lie_inside_or_around_a_box_and_touch_it(size: tuple[int, int], box: tuple[int, int]) -> None:
    within, over = inside(size, box), around(size, box)
    assert all(side % 2 == 0 for side in (*within, *over))
    assert within[0] <= box[0]
    assert within[1] <= box[1]
    assert within[0] == box[0] or within[1] == box[1]
    assert over[0] >= box[0]
    assert over[1] >= box[1]
    assert over[0] == box[0] or over[1] == box[1]


@pytest.mark.parametrize(
    ("shown", "width", "height", "aspect", "size"),
    [
        ((1920, 1080), None, None, "9:16", (1080, 1920)),
        ((1920, 1080), None, None, "1:1", (1080, 1080)),
        ((1920, 1080), None, None, "4:5", (1080, 1350)),
        ((1080, 1920), None, None, "16:9", (1920, 1080)),
        ((1920, 1080), 720, None, "9:16", (720, 1280)),
        ((1920, 1080), None, 720, None, (1280, 720)),
        ((1920, 1080), 640, None, None, (640, 360)),
        ((1920, 1080), 100, 200, None, (100, 200)),
        ((319, 179), None, None, None, (320, 180)),
        ((1280, 720), None, None, "3:4", (720, 960)),
    ],
)
def test_sizes(
    shown: tuple[int, int], width: int | None, height: int | None, aspect: str | None, size: tuple[int, int]
) -> None:
    assert wanted_size(shown, width, height, aspect) == size
