"""What is wrong with a plan, field by field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from airflow_provider_klingvideo.errors import Fault, quoted

_BOUNDS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than", "multiple_of": "a multiple of"}
_BOUNDS |= {"min_length": "in number or letters at least", "max_length": "in number or letters at most"}
_LEGAL = {
    "extra_forbidden": "a field that docs/media.md lists",
    "missing": "a value",
    "finite_number": "a number that is finite",
}
ELSE = "what docs/media.md says of this field"


def faults_of(error: ValidationError, whole: str) -> list[Fault]:
    """Tell the faults that pydantic has found.

    :param whole: what the plan is called where the fault lies in no single field.
    """
    return [_fault(dict(one), whole) for one in error.errors(include_url=False)]


def _fault(error: Mapping[str, Any], whole: str) -> Fault:
    where = ".".join(str(part) for part in error["loc"]) or whole
    what = str(error["msg"]).removeprefix("Value error, ")
    shown = "" if isinstance(error.get("input"), Mapping) else f", not {quoted(error.get('input'))}"
    return Fault(where, f"{what}{shown}", _legal(error["type"], error.get("ctx") or {}))


def _legal(kind: str, context: Mapping[str, Any]) -> str:
    bounds = [f"{words} {context[name]}" for name, words in _BOUNDS.items() if name in context]
    pattern = [f"what matches {context['pattern']}"] if "pattern" in context else []
    expected = [str(context["expected"])] if "expected" in context else []
    return _LEGAL.get(kind) or ", ".join([*expected, *bounds, *pattern]) or ELSE
