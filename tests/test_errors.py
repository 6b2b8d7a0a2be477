"""The words of an error about something that came in."""

from __future__ import annotations

import pytest

from airflow_provider_klingvideo.errors import LONGEST_QUOTE, SHOWN_FAULTS, Fault, KlingVideoError, quoted


def fault(number=1):
    return Fault(f"line {number}, column 'duration'", "'7' is too long", "5, 10")


def test_a_fault_says_where_what_and_what_is_legal():
    error = KlingVideoError(fault(), advice="Mend it")
    assert str(error) == "line 1, column 'duration': '7' is too long (legal: 5, 10). No money was spent. Mend it."
    assert error.faults == (fault(),)


def test_many_faults_are_told_up_to_a_screenful():
    error = KlingVideoError([fault(number) for number in range(SHOWN_FAULTS + 3)])
    assert error.message.count("line ") == SHOWN_FAULTS
    assert error.message.endswith("; and 3 more")
    assert len(error.faults) == SHOWN_FAULTS + 3


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (" kling ", "' kling '"),
        ("a\nb\x1b[2J", r"'a\nb\x1b[2J'"),
        ("https://me:pw@host/a.png?sig=1", "'https://host/a.png'"),
        (7, "7"),
    ],
)
def test_a_value_is_shown_on_one_line_without_secrets(value, shown):
    assert quoted(value) == shown


def test_a_long_value_is_cut():
    shown = quoted("x" * 5000)
    assert len(shown) == LONGEST_QUOTE
    assert shown.startswith("'xxx")
    assert shown.endswith("...'")
