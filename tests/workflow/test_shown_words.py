"""Words of others are shown and never obeyed: on terminals, in logs, in templates, in errors."""

from __future__ import annotations

import ast
import io
import json
import logging
import unicodedata
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment
from rich.table import Table

from airflow_provider_klingvideo._words import harmless, printable
from airflow_provider_klingvideo.cli.console import PlainConsole
from airflow_provider_klingvideo.errors import Fault, KlingVideoError, quoted
from airflow_provider_klingvideo.kling.errors import KlingError
from airflow_provider_klingvideo.kling.wire.answers import result_of
from airflow_provider_klingvideo.kling.wire.operation import Operation
from airflow_provider_klingvideo.kling.wire.reading import LONGEST_WORDS
from airflow_provider_klingvideo.kling.wire.tasks import parse_task

PACKAGE = Path(__file__).parents[2] / "airflow_provider_klingvideo"
HOSTILE = [
    "\x1b[2J\x1b[31mred\x1b[0m",
    "\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "\x1b]0;title\x07",
    "\x9b31m",
    "done\nINFO Job job-1: COMPLETED",
    "done\r\nERROR forged",
    "a\u2028b\u2029c\x85d\x0be\x0cf",
    "[bold]loud[/bold] [link=http://evil.example]click[/link] [/red] [",
    ":warning: :boom:",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "{{ conn.klingai_default.password }} {% for x in y %} {# gone #}",
    "%s %d %(name)s %",
    "{0} {name} {",
    "\u202egnp.exe\u202c \u2066x\u2069 \u200f \u061c",
    "zero\u200bwidth\u200d\u2060\ufeff",
    "tag" + "".join(chr(0xE0000 + ord(letter)) for letter in "obey me"),
    "selector\U000e0100\U000e01ef",
    "\ud83d half",
    "\0nul",
    "x" * 100_000,
]
# As Airflow's for templated fields.
TEMPLATES = Environment(autoescape=False, keep_trailing_newline=True)
hostile = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(st.characters(exclude_categories=()), max_size=60),
    st.lists(st.sampled_from([*HOSTILE[:-1], "a", " "]), min_size=2, max_size=3).map("".join),
)


def is_quiet(text: str, *, lines: bool = False) -> bool:
    """Whether a text neither commands anything nor hides something."""
    return all(
        (lines and letter == "\n") or unicodedata.category(letter) not in {"Cc", "Cf", "Zl", "Zp", "Cs"}
        for letter in text
    )


def printed(*parts: object) -> str:
    """What a terminal with colours gets, without the newlines that a console breaks lines with."""
    console = PlainConsole(file=io.StringIO(), force_terminal=True, width=10_000, color_system="truecolor")
    console.print(*parts, soft_wrap=True)
    return console.file.getvalue()


def refused(message: object) -> KlingError:
    """The error of an answer that says this."""
    body = json.dumps({"code": 1201, "message": message, "request_id": message, "data": None})
    request = httpx.Request("GET", "https://kling.example/v1/x")
    response = httpx.Response(400, content=body.encode(), request=request, headers={"Retry-After": "0\t"})
    with pytest.raises(KlingError) as caught:
        result_of(Operation("GET", "/v1/x", parse=lambda data: data), response)
    return caught.value


@given(hostile)
def test_an_answer_is_quiet_on_its_whole_way(message: str) -> None:
    error = refused(message)
    stream = io.StringIO()
    log = logging.Logger("any")
    log.addHandler(logging.StreamHandler(stream))
    log.warning("Job %s failed: %s", "job-1", error)
    record = json.dumps(error.detail(), ensure_ascii=False)
    table = Table("error")
    table.add_row(str(error))
    for text in (str(error), error.message, error.vendor_message or "", error.request_id or "", record):
        assert is_quiet(text)
    assert is_quiet(stream.getvalue(), lines=True)
    assert stream.getvalue().count("\n") == 1
    assert printed(str(error)) == f"{error}\n"
    assert is_quiet(printed(table).replace("\x1b[1m", "").replace("\x1b[0m", ""), lines=True)
    words = error.vendor_message or ""
    assert TEMPLATES.from_string(words).render() == words


@given(hostile)
def test_a_task_is_quiet_in_all_its_words(text: str) -> None:
    item = {"id": text, "name": text, "type": text, "url": text, "group_id": text, "watermark_url": text}
    task = parse_task({"id": "1", "status": text, "message": text, "outputs": [item]})
    assert task is not None
    (output,) = task.outputs
    words = (task.status_word, task.message, output.id, output.name, output.type, output.url, output.group)
    assert all(is_quiet(word or "") for word in words)
    assert len(task.message) <= LONGEST_WORDS + 3


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_ordinary_stays(text: str) -> None:
    assert len(harmless(text)) == len(text)
    assert harmless("café 狐狸 🦊 [a] <b> {c} %d") == "café 狐狸 🦊 [a] <b> {c} %d"
    assert printable("one\ntwo\x1b") == "one\ntwo\u241b"


@given(hostile)
def test_a_console_prints_what_it_is_given(text: str) -> None:
    assert printed(text) == f"{printable(text)}\n"
    table = Table(text, title=text)
    table.add_row(text)
    shown = printed(table)
    assert "evil.example\x1b" not in shown
    assert "\x1b]" not in shown
    assert "\x9b" not in shown


@given(hostile)
def test_every_error_is_quiet(text: str) -> None:
    for error in (KlingVideoError(text), KlingVideoError(Fault(text, quoted(text), text), advice="Look")):
        assert is_quiet(error.message, lines=True)
        assert is_quiet(str(error), lines=True)
    assert "\n" not in quoted(text)


def test_no_text_is_printed_by_another_console() -> None:
    """Markup is obeyed by every console that is not plain: none is made, and nothing asks for markup."""
    found = []
    for path in PACKAGE.rglob("*.py"):
        if path.name == "console.py":
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                asks = any(one.arg == "markup" and getattr(one.value, "value", False) for one in node.keywords)
                if name in {"Console", "from_markup"} or asks:
                    found.append(f"{path.relative_to(PACKAGE)}:{node.lineno}")
    assert found == []
