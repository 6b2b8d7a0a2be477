"""Text of any origin is stored; ordinary text is stored unchanged."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_klingvideo.storage.text import storable, storable_json

ANY_TEXT = st.text(st.characters())
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | ANY_TEXT,
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(ANY_TEXT, inner),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("A fox, ein Füchslein, 狐 😀\n\t\x1b", "A fox, ein Füchslein, 狐 😀\n\t\x1b"),
        ("a\0b", "a␀b"),
        ("a\ud800", "a�"),
        ("\udcff\udfffb", "��b"),
        ("", ""),
    ],
)
def test_only_what_cannot_be_stored_is_replaced(text, stored):
    assert storable(text) == stored


@given(ANY_TEXT)
def test_every_text_can_be_stored(text):
    stored = storable(text)
    stored.encode()
    assert "\0" not in stored
    assert len(stored) == len(text)
    assert storable(stored) == stored


@given(st.text())
def test_text_without_nul_stays_as_it_is(text):
    # Hypothesis makes no surrogates here.
    assert storable(text.replace("\0", "")) == text.replace("\0", "")


@given(VALUES)
def test_every_json_value_can_be_stored(value):
    written = json.dumps(storable_json(value), ensure_ascii=False)
    written.encode()
    assert "\\u0000" not in written


def test_keys_lists_and_tuples_are_gone_through():
    value = {"a\0": ["\ud800", ("b\0", 1, None, True, 1.5)], 1: {"c": "\0"}}
    assert storable_json(value) == {"a␀": ["�", ["b␀", 1, None, True, 1.5]], 1: {"c": "␀"}}
