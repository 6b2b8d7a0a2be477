"""Text of a caller that would command a page: it is shown as text, and nothing else."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import httpx
import pytest
from sandbox_calls import Create

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\"><svg onload='alert(1)'>",
    "</span></td></tr></table><h1>Paid</h1>",
    "javascript:alert(1)",
    "{{ 7 * 7 }} ${alert(1)} `${alert(2)}`",
    "\x1b[31mred\x1b]8;;http://evil\x07link",
    "line\u2028separator \u202e reversed \u200b none",
    "&lt;b&gt; &amp;",
]
# Ways for a text to become markup or code.
SINKS = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|DOMParser|srcdoc"
    r"|\beval\(|new Function|setAttribute\(\s*[\"'`]on"
)


@pytest.mark.parametrize("page", ["/sandbox", "/sandbox/docs"])
def test_no_page_makes_markup_of_text(client: httpx.Client, page: str) -> None:
    assert SINKS.findall(client.get(page).text) == []


@pytest.mark.parametrize("text", HOSTILE)
def test_pages_stay_as_they_are_and_what_was_sent_is_told_as_json(
    client: httpx.Client, create: Create, text: str
) -> None:
    before = [client.get(page).text for page in ("/sandbox", "/sandbox/docs")]
    create(text)
    assert [client.get(page).text for page in ("/sandbox", "/sandbox/docs")] == before
    answer = client.get("/sandbox/ledger")
    assert answer.headers["content-type"] == "application/json"
    assert [task["prompt"] for task in answer.json()["tasks"]] == [text]


@pytest.mark.skipif(shutil.which("node") is None, reason="runs a function of the page by node")
@pytest.mark.parametrize(
    ("url", "is_linked"),
    [
        ("http://127.0.0.1:8713/media/1.mp4", True),
        ("https://sandbox.example.org/media/1.png", True),
        ("javascript:alert('/media/x.mp4')", False),
        ("javascript:alert('http://h/media/x.mp4')", False),
        ("data:text/html,/media/x", False),
        ("//h/media/x", False),
        ("http://h/?/media/x", False),
        ("", False),
    ],
)
def test_only_files_of_a_sandbox_are_linked(client: httpx.Client, url: str, is_linked: bool) -> None:
    (function,) = re.findall(r"^function isFile\(.*?^}", client.get("/sandbox").text, re.DOTALL | re.MULTILINE)
    script = f"{function}; console.log(isFile({json.dumps(url)}))"
    done = subprocess.run(["node", "-e", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == str(is_linked).lower()
