from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_klingvideo.media import FilmError, FilmPlan
from airflow_provider_klingvideo.media.film.timeline import RATE, frame_rate, samples, timeline, whole_frames

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=6,
)
PARTS = st.sampled_from(sorted(FilmPlan.model_fields))


def test_nothing_asks_for_the_defaults() -> None:
    plan = FilmPlan.parse({})
    assert (plan.transition_seconds, plan.overlays, plan.loudness) == (0, [], -14)


def test_what_a_form_left_empty_asks_for_the_defaults() -> None:
    empty = {"title": None, "music": "", "size": None, "fps": "", "transition": {"kind": "fade", "seconds": None}}
    assert FilmPlan.parse(empty) == FilmPlan.parse({"transition": "fade"})


def test_one_value_stands_for_a_whole_part() -> None:
    plan = FilmPlan.parse({"title": 1984, "transition": "fade", "music": "tune.mp3", "size": "1280x720", "fps": "25"})
    assert plan.title
    assert plan.music
    assert (plan.title.text, plan.transition.seconds, plan.music.file) == ("1984", 0.5, "tune.mp3")
    assert (plan.size, plan.fps) == ((1280, 720), 25)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"transition": "explode"}, "transition.kind: Input should be 'cut', 'fade'"),
        ({"transition": {"kind": "fade", "seconds": 0}}, "transition.seconds: Input should be greater than 0"),
        ({"size": "1281x720"}, "size.0: Input should be a multiple of 2"),
        ({"size": "large"}, "size"),
        ({"order": [0]}, "order.0: Input should be greater than or equal to 1"),
        ({"tittle": "Fox"}, "tittle: Extra inputs are not permitted"),
        ({"title": {"text": "Fox", "start": 4}}, r"title: end \(3 s\) must be later than start \(4 s\)"),
        ({"loudness": "loud"}, "loudness"),
        ({"fps": 1000, "captions": [{"text": "a", "size": 9}]}, "captions.0.size: .*; fps: "),
        ({"music": {"volume": 1}}, "music.file: Field required"),
        ({"subtitles": {"file": "a.srt", "language": "english"}}, "subtitles.language"),
    ],
)
def test_every_wrong_part_is_named(values: Any, words: str) -> None:
    with pytest.raises(FilmError, match=words) as caught:
        FilmPlan.parse(values)
    assert not caught.value.retryable


@given(st.dictionaries(PARTS | st.text(max_size=8), JSON, max_size=5))
def test_whatever_is_given_is_a_plan_or_an_error_of_ours(values: dict[str, Any]) -> None:
    try:
        plan = FilmPlan.parse(values)
    except FilmError:
        return
    assert FilmPlan.parse(json.loads(plan.model_dump_json())) == plan


LEGAL = st.fixed_dictionaries(
    {},
    optional={
        "order": st.lists(st.integers(1, 50), max_size=5),
        "transition": st.sampled_from(["cut", "fade", {"kind": "wipeleft", "seconds": 1.5}]),
        "size": st.tuples(st.integers(8, 4096), st.integers(8, 4096)).map(lambda size: f"{2 * size[0]}x{2 * size[1]}"),
        "fps": st.floats(1, 120),
        "title": st.text(min_size=1, max_size=50),
        "captions": st.lists(
            st.fixed_dictionaries({"text": st.text(min_size=1, max_size=50), "start": st.floats(0, 1e4)}), max_size=3
        ),
        "music": st.sampled_from(["a.mp3", {"file": "s3://bucket/a.wav", "ducking": False}]),
        "loudness": st.floats(-70, -5) | st.just("keep"),
    },
)


@given(LEGAL)
def test_a_plan_comes_back_from_json_as_it_was(values: dict[str, Any]) -> None:
    plan = FilmPlan.parse(values)
    for dumped in (plan.model_dump_json(), plan.model_dump_json(exclude_defaults=True)):
        assert FilmPlan.parse(json.loads(dumped)) == plan


def test_files_are_found_and_renamed_wherever_they_stand() -> None:
    plan = FilmPlan.parse(
        {"music": "a.mp3", "logo": "b.png", "captions": [{"text": "file", "fontfile": "c.ttf"}], "voice": "a.mp3"}
    )
    assert set(plan.files) == {"a.mp3", "b.png", "c.ttf"}
    local = plan.with_files({name: f"/scratch/{name}" for name in plan.files})
    assert local.music
    assert local.captions[0].fontfile == "/scratch/c.ttf"
    assert (local.music.file, local.captions[0].text) == ("/scratch/a.mp3", "file")


SECONDS = st.fractions(Fraction(1, 2), 30, max_denominator=90000)


class TestTimeline:
    @given(st.lists(SECONDS, min_size=1, max_size=30), st.sampled_from([24, 25, 29.97, 30, 60]))
    def test_nothing_drifts(self, durations: list[Fraction], fps: float) -> None:
        rate = frame_rate(fps)
        overlap = whole_frames(Fraction(1, 5), rate)
        segments = timeline([whole_frames(one, rate) for one in durations], overlap)
        whole = sum(one.seconds for one in segments)
        assert all((one.seconds * rate).denominator == 1 for one in segments)
        expected = sum(whole_frames(one, rate) for one in durations) - (len(durations) - 1) * overlap
        assert whole == expected
        assert sum(samples(one.start, one.seconds) for one in segments) == round(whole * RATE)

    def test_a_shot_too_short_for_its_transitions_is_named(self) -> None:
        with pytest.raises(FilmError, match=r"Shot 2 lasts 1\.00 s, which is too short .* 0\.50 s each"):
            timeline([Fraction(3), Fraction(1), Fraction(3)], Fraction(1, 2))

    @pytest.mark.parametrize(
        ("fps", "exact"), [(29.97, Fraction(30000, 1001)), (23.976, Fraction(24000, 1001)), (12.5, Fraction(25, 2))]
    )
    def test_rounded_rates_are_understood(self, fps: float, exact: Fraction) -> None:
        assert frame_rate(fps) == exact
