"""How long to pause: as long as Kling asks, never past a deadline."""

from __future__ import annotations

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_klingvideo.workflow.waiting.pauses import bounded_pause

SECONDS = st.floats(0, 1e9)


@pytest.mark.parametrize(
    ("asked", "least", "left", "pause"),
    [
        (None, 5, 60, 5),
        (0, 5, 60, 5),
        (20, 5, 60, 20),
        (3600, 5, 60, 60),
        (inf, 5, 60, 60),
        (nan, 5, 60, 5),
        (-3, 5, 60, 5),
        (20, 5, 2, 2),
        (20, 5, 0, 0),
        (20, 5, -7, 0),
    ],
)
def test_it_is_what_kling_asks_for_within_bounds(asked, least, left, pause):
    assert bounded_pause(asked, least=least, left=left) == pause


@given(asked=st.none() | st.floats(), least=SECONDS, left=SECONDS | st.floats(-1e9, 0))
def test_it_is_never_negative_nor_past_the_deadline_nor_shorter_than_the_least(asked, least, left):
    pause = bounded_pause(asked, least=least, left=left)
    assert 0 <= pause <= max(left, 0)
    assert pause >= min(least, max(left, 0))
