"""Input pictures and batch files."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_klingvideo.workflow.errors import InputError
from airflow_provider_klingvideo.workflow.inputs import MAX_IMAGE_BYTES, SIGNATURES, inline_images, with_inputs
from airflow_provider_klingvideo.workflow.rows import read_requests


def test_a_path_becomes_raw_base64_and_a_url_stays(tmp_path):
    picture = tmp_path / "a.png"
    picture.write_bytes(SIGNATURES["PNG"] + b"rest")
    params = {"first_frame": str(picture), "last_frame": "https://example.org/b.jpg", "duration": 5}
    read = with_inputs(params, Path, "new")
    assert base64.b64decode(read["first_frame"]) == picture.read_bytes()
    assert (read["last_frame"], read["duration"]) == ("https://example.org/b.jpg", 5)


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "there is no file"), (b"", "neither"), (b"GIF89a", "neither"), (b"x" * (10 * 2**20 + 1), "at most 10 MB")],
    ids=["missing", "empty", "gif", "large"],
)
def test_a_bad_picture_is_told_with_its_name(tmp_path, content, words):
    picture = tmp_path / "a.png"
    if content is not None:
        picture.write_bytes(content)
    with pytest.raises(InputError, match=words) as caught:
        with_inputs({"first_frame": str(picture)}, Path, "legacy")
    assert "a.png" in str(caught.value)


def test_an_unreadable_picture_may_be_tried_again(tmp_path):
    with pytest.raises(InputError, match="cannot be read") as caught:
        with_inputs({"first_frame": str(tmp_path)}, Path, "new")
    assert caught.value.retryable


def test_the_new_generation_takes_larger_pictures():
    assert MAX_IMAGE_BYTES["new"] > MAX_IMAGE_BYTES["legacy"]


@pytest.mark.parametrize(
    ("value", "is_inline"),
    [
        ("data:image/png;base64,AAAA", True),
        ("A" * 2000, True),
        ("s3://b/a.png", False),
        ("https://e.org/" + "a" * 1100, False),
    ],
)
def test_a_picture_itself_is_told_from_its_address(value, is_inline):
    assert inline_images({"first_frame": value}) == (["first_frame"] if is_inline else [])


class TestBatchFiles:
    def test_csv(self):
        text = '\ufeffprompt,duration,model\nA fox,5,\n"A hare,\nrunning",10,kling-2.6\n,,\n'
        assert read_requests(text, "rows.CSV") == [
            {"prompt": "A fox", "duration": "5"},
            {"prompt": "A hare,\nrunning", "duration": "10", "model": "kling-2.6"},
        ]

    def test_jsonl(self):
        assert read_requests('{"prompt": "A fox"}\n\n{"prompt": "狐", "duration": 5}\n', "rows.jsonl") == [
            {"prompt": "A fox"},
            {"prompt": "狐", "duration": 5},
        ]

    @pytest.mark.parametrize(
        ("text", "name", "words"),
        [
            ("x", "rows.xlsx", "format 'xlsx' is unknown; it is one of csv, jsonl"),
            ("", "rows.csv", "has no requests"),
            ("prompt\n", "rows.csv", "has no requests"),
            ("prompt\na,b\n", "rows.csv", "line 2 has more cells"),
            ('prompt\n"a"b\n', "rows.csv", "line 2 is no CSV"),
            ('{"a": 1}\n[1]\n{\n', "rows.jsonl", "line 2 is no JSON object; line 3 is no JSON"),
        ],
    )
    def test_every_bad_line_is_named(self, text, name, words):
        with pytest.raises(InputError, match=words):
            read_requests(text, name)

    @given(st.text(), st.sampled_from(["a.csv", "a.jsonl"]))
    def test_any_text_is_requests_or_a_clear_error(self, text, name):
        try:
            rows = read_requests(text, name)
        except InputError:
            return
        assert rows
        assert all(isinstance(row, dict) for row in rows)
