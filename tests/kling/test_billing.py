"""What the names of the account's packs say."""

from __future__ import annotations

import pytest

from airflow_provider_klingvideo.kling import ResourcePack, quota


def packs(*names, status="online"):
    return [ResourcePack(name, status, None, None) for name in names]


@pytest.mark.parametrize(
    ("name", "kind", "concurrency"),
    [
        ("Trial-Video-100Units-5Con-1Months", "video", 5),
        ("Trial-Image-1000Units-9Con-1Months", "image", 9),
        ("Trial-Try-On-10Units-2Con", "try_on", 2),
        ("A gift of the season", "video", None),
        ("Trial-Video-100Units-Con-1Months", "video", None),
        ("Trial-Video-100Units-0Con-1Months", "video", None),
    ],
)
def test_a_name_says_how_much_may_run_at_once(name, kind, concurrency):
    assert quota(packs(name), kind) == concurrency


def test_the_highest_of_several_counts():
    assert quota(packs("A-Video-5Con", "B-Video-10Con", "C-Image-20Con"), "video") == 10


def test_packs_that_are_used_up_do_not_count():
    found = [*packs("A-Video-5Con"), *packs("B-Video-10Con", status="runOut")]
    assert quota(found, "video") == 5


def test_without_packs_nothing_is_known():
    assert quota([], "video") is None
