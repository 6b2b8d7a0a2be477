"""Write the generated parts of README and docs from the data they describe; ``--check`` tells what is out of date."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

from airflow_provider_klingvideo.errors import KlingVideoError
from airflow_provider_klingvideo.get_provider_info import get_provider_info
from airflow_provider_klingvideo.kling import matrix
from airflow_provider_klingvideo.kling.capabilities import registry
from airflow_provider_klingvideo.kling.errors import error_from_answer
from airflow_provider_klingvideo.workflow.states import TERMINAL_STATES
from airflow_provider_klingvideo.workflow.transitions import TRANSITIONS

ROOT = Path(__file__).parents[1]

# Where the errors are defined that a record or a task's log can name, in the order of their table.
ERROR_HOMES = (
    "hooks.klingai",
    "kling.errors",
    "workflow.errors",
    "workflow.failure",
    "workflow.store",
    "operators.runtime",
    "media.errors",
)
# What only groups other classes: it is never raised itself.
GROUPS = {"vendor", "media"}
VENDOR_CODES = range(1000, 6000)


def states() -> str:
    """Draw the transition table."""
    edges = [f"    {old} --> {new}" for old, exits in TRANSITIONS.items() for new in exits]
    ends = [f"    {state} --> [*]" for state in TRANSITIONS if state in TERMINAL_STATES]
    return "\n".join(["```mermaid", "stateDiagram-v2", "    [*] --> CREATED", *edges, *ends, "```"])


def options() -> str:
    """List the configuration's options."""
    rows = [
        [f"`{name}`", one["type"], one["default"] or "empty", one["description"]]
        for name, one in get_provider_info()["config"]["klingvideo"]["options"].items()
    ]
    return _table(["option", "type", "default", "meaning"], rows)


def models() -> str:
    """List what each model can do."""
    table = _table(list(matrix.HEAD), matrix.matrix())
    retired = "\n".join(f"- {line}" for line in matrix.retired())
    return "\n".join([f"As of {registry().as_of}:", "", table, "", "Retired and refused:", "", retired])


def prices() -> str:
    """List what products cost."""
    known = registry()
    resolutions = [name for name in dict.fromkeys(name for one in known.prices for name in one.units) if name != "any"]
    rows = [
        [one.model, one.feature, one.per, *(str(one.units.get(name, one.units.get("any", ""))) for name in resolutions)]
        for one in known.prices
    ]
    units = ", ".join(f"one of {unit}s costs {usd}" for unit, usd in known.usd_per_unit.items())
    note = f"As of {known.as_of}, in units; in US dollars by the list {units}:"
    return "\n".join([note, "", _table(["model or product", "feature", "per", *resolutions], rows)])


def errors() -> str:
    """List the kinds of errors, with what their classes say."""
    codes = _codes_by_error()
    rows = [
        [
            f"`{error.kind}`",
            (error.__doc__ or "").splitlines()[0],
            ", ".join(map(str, codes[error])),
            error.default_money.value,
            "yes" if error.default_retryable else "no",
            error.default_advice,
        ]
        for error in _errors()
    ]
    return _table(["kind", "what happened", "codes", "money", "tried again", "what to do"], rows)


def _errors() -> Iterator[type[KlingVideoError]]:
    for home in ERROR_HOMES:
        module = import_module(f"airflow_provider_klingvideo.{home}")
        for thing in vars(module).values():
            own = isinstance(thing, type) and issubclass(thing, KlingVideoError) and thing.__module__ == module.__name__
            if own and thing.kind not in GROUPS:
                yield thing


def _codes_by_error() -> dict[type[KlingVideoError], list[int]]:
    unknown = error_from_answer(None, http_status=400).message
    known: dict[type[KlingVideoError], list[int]] = defaultdict(list)
    for code in VENDOR_CODES:
        error = error_from_answer(code, http_status=400)
        if error.message != unknown:
            known[type(error)].append(code)
    return known


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [f"| {' | '.join(cells)} |" for cells in (head, *rows)]
    return "\n".join([lines[0], "|---" * len(head) + "|", *lines[1:]])


BLOCKS: dict[str, tuple[str, Callable[[], str]]] = {
    "states": ("README.md", states),
    "options": ("docs/configuration.md", options),
    "models": ("docs/requests.md", models),
    "prices": ("docs/requests.md", prices),
    "errors": ("docs/reliability.md", errors),
}


def main(check: bool) -> int:
    """Write the blocks; with ``check`` return 1 when one is out of date."""
    stale = set()
    for name, (file, draw) in BLOCKS.items():
        path = ROOT / file
        old = path.read_text()
        start, end = f"<!-- {name}:start -->\n", f"<!-- {name}:end -->"
        head, rest = old.split(start)
        new = f"{head}{start}{draw()}\n{end}{rest.partition(end)[2]}"
        if new != old:
            stale.add(file)
            if not check:
                path.write_text(new)
    print(f"out of date: {', '.join(sorted(stale)) or 'nothing'}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
