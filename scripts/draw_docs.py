"""Write the generated parts of README and docs from the data they describe; ``--check`` tells what is out of date."""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from itertools import product as combinations
from pathlib import Path
from typing import Any, get_args

import paid_calls as paid
import scenarios as faults
from airflow.sdk import BaseOperator
from pydantic import BaseModel

from airflow_provider_klingvideo import media
from airflow_provider_klingvideo.errors import KlingVideoError
from airflow_provider_klingvideo.get_provider_info import get_provider_info
from airflow_provider_klingvideo.kling import PRODUCTS, REGIONS, Product, Terms, parse_request, quote
from airflow_provider_klingvideo.kling.catalogue import matrix
from airflow_provider_klingvideo.kling.catalogue.capabilities import registry
from airflow_provider_klingvideo.kling.catalogue.price_book import ANY
from airflow_provider_klingvideo.kling.client.endpoints import endpoints as all_endpoints
from airflow_provider_klingvideo.kling.errors import error_from_answer
from airflow_provider_klingvideo.kling.products.base import Part
from airflow_provider_klingvideo.media.outputs.presets import PRESETS
from airflow_provider_klingvideo.operators.base import KlingVideoTask
from airflow_provider_klingvideo.runtime.options import OPTIONS, Option, Required
from airflow_provider_klingvideo.task_groups.klingvideo import GROUP_ARGUMENTS, GROUP_OPTIONS
from airflow_provider_klingvideo.workflow.job.states import TERMINAL_STATES
from airflow_provider_klingvideo.workflow.job.transitions import TRANSITIONS

ROOT = Path(__file__).parents[1]
FIGURES = ROOT / "benchmarks" / "figures"

# Where the errors are defined that a record or a task's log can name, in the order of their table.
ERROR_HOMES = (
    "runtime.connections.faults",
    "storage.addresses",
    "runtime.options",
    "kling.catalogue.capabilities",
    "kling.errors",
    "workflow.job.errors",
    "workflow.job.failure",
    "workflow.job.migrations",
    "workflow.job.store",
    "runtime.job_run",
    "runtime.paths",
    "media.errors",
    "media.outputs.artifacts",
    "storage.errors",
)
# What only groups other classes: it is never raised itself.
GROUPS = {"vendor", "media"}
VENDOR_CODES = range(1000, 6000)
# Where the classes of tasks are defined, in the order of their table.
TASK_HOMES = (
    "operators.video",
    "operators.klingvideo",
    "sensors.klingvideo",
    "operators.outcome",
    "operators.batch",
    "operators.reconciliation",
    "operators.speech",
    "operators.assembly",
)
REST_ROLE = re.compile(r":\w+:`~?[\w.]*?(\w+)`")
FEW = 3
# What the table of quotes asks for.
QUOTED = {
    "text_to_video": {"kind": "text_to_video", "prompt": "a red fox"},
    "image_to_video": {"kind": "image_to_video", "prompt": "it runs", "first_frame": "https://example.org/a.png"},
    "omni_video": {"kind": "omni_video", "prompt": "a red fox", "aspect_ratio": "16:9"},
}
PARAM = re.compile(r"^:param (\w+): (.*(?:\n    .*)*)", re.MULTILINE)


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


def group() -> str:
    """List the arguments of a task group."""
    rows = [
        *([f"`{name}`", "", _markdown(words)] for name, words in GROUP_ARGUMENTS.items()),
        *([f"`{one.name}`", _default_of(one), _markdown(one.words)] for one in GROUP_OPTIONS),
    ]
    fixed = [*GROUP_ARGUMENTS, *(one.name for one in GROUP_OPTIONS if not one.is_templated)]
    note = f"All are templated but {', '.join(f'`{name}`' for name in fixed)}."
    return f"{_table(['argument', 'default', 'meaning'], rows)}\n\n{note}"


def operators() -> str:
    """List the classes of tasks with the arguments that each takes."""
    rows = [
        [f"`{home}`", f"`{task.__name__}`", ", ".join(f"`{name}`" for name in _arguments(task))]
        for home, task in _tasks()
    ]
    return _table(["module", "class", "arguments"], rows)


def arguments() -> str:
    """List the arguments that tasks have and their group has not."""
    takers = {task.task_name: task.__name__ for _, task in _tasks() if issubclass(task, KlingVideoTask)}
    rows = []
    for one in OPTIONS:
        if one in GROUP_OPTIONS:
            continue
        names = [f"`{takers[name]}`" for name in one.tasks]
        of = f"{len(names)} classes" if len(names) > FEW else ", ".join(names)
        rows.append([f"`{one.name}`", of, _default_of(one), _markdown(one.words)])
    return _table(["argument", "of", "default", "meaning"], rows)


def _tasks() -> Iterator[tuple[str, type[BaseOperator]]]:
    for home in TASK_HOMES:
        module = import_module(f"airflow_provider_klingvideo.{home}")
        for thing in vars(module).values():
            is_task = (
                isinstance(thing, type) and issubclass(thing, BaseOperator) and thing.__module__ == module.__name__
            )
            if is_task and not thing.__name__.startswith("_"):
                yield home, thing


def _arguments(task: type[BaseOperator]) -> list[str]:
    parameters = inspect.signature(task.__init__).parameters.values()
    return [one.name for one in parameters if one.kind is one.KEYWORD_ONLY]


def _default_of(option: Option) -> str:
    if option.default is Required:
        return "required"
    default = f"{option.default:g}" if isinstance(option.default, float) else option.default
    return "" if default is None else f"`{default}`"


def _markdown(words: str) -> str:
    return REST_ROLE.sub(r"`\1`", words.replace("``", "`"))


def models() -> str:
    """List what each model can do."""
    table = _table(list(matrix.HEAD), matrix.matrix())
    retired = "\n".join(f"- {line}" for line in matrix.retired())
    return "\n".join([f"As of {registry().as_of}:", "", table, "", "Retired and refused:", "", retired])


def products() -> str:
    """List the fields of every product's request, nested parts below it."""
    return "\n\n".join(section for product in PRODUCTS.values() for section in _product(product))


def _product(product: Product[Any]) -> Iterator[str]:
    apis = " or ".join(f"`{route.path}` ({family})" for family, route in product.routes.items())
    yield f"### `{product.kind}`: {product.label}\n\n{_first_sentence(product.request)} Ordered by {apis}."
    yield _fields(product.request, {"kind", "callback_url"})
    for part in _parts(product.request):
        yield f"`{part.__name__}`: {_first_sentence(part)}"
        yield _fields(part, set())


def _fields(model: type[BaseModel], left_out: set[str]) -> str:
    meanings = _meanings(model)
    rows = [
        [f"`{name}`", "required" if one.is_required() else _default(one.default), meanings.get(name, "")]
        for name, one in model.model_fields.items()
        if name not in left_out
    ]
    return _table(["field", "default", "meaning"], rows)


def _first_sentence(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").partition("\n")[0].partition(". ")[0].rstrip(".") + "."


def _default(value: Any) -> str:
    return "" if value in (None, "", ()) else f"`{value}`"


def _meanings(model: type[BaseModel]) -> dict[str, str]:
    """What the docstrings of a model and its bases say of its fields."""
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        text = inspect.cleandoc(base.__doc__ or "") if issubclass(base, BaseModel) else ""
        found |= {name: " ".join(words.split()).rstrip(".").replace("``", "`") for name, words in PARAM.findall(text)}
    return found


def _parts(model: type[Part]) -> list[type[Part]]:
    """The models of nested parts, each once."""
    found: dict[type[Part], None] = {}
    for one in model.model_fields.values():
        for part in _models_in(one.annotation):
            found |= dict.fromkeys([part, *_parts(part)])
    return list(found)


def _models_in(annotation: Any) -> Iterator[type[Part]]:
    if isinstance(annotation, type) and issubclass(annotation, Part):
        yield annotation
    for arm in get_args(annotation):
        yield from _models_in(arm)


def endpoints() -> str:
    """List what becomes of every endpoint of Kling."""
    rows = [[one.name, f"`{one.method} {one.path}`", one.support, one.by] for one in all_endpoints()]
    return _table(["endpoint", "path", "here", "by, or why not"], rows)


def prices() -> str:
    """List what products cost."""
    known = registry()
    resolutions = [
        name for name in dict.fromkeys(name for one in known.book.prices for name in one.units) if name != ANY
    ]
    rows = [
        [one.model, one.feature, one.per, *(str(one.units.get(name, one.units.get(ANY, ""))) for name in resolutions)]
        for one in known.book.prices
    ]
    rates = ", ".join(f"{one.money} {one.currency} for one of {one.pack}s ({one.region})" for one in known.book.rates)
    note = f"As of {known.as_of}, in units. Without a pack a unit costs by the list: {rates}."
    return "\n".join([note, "", _table(["model or product", "feature", "per", *resolutions], rows)])


def quotes() -> str:
    """List what videos from text and from pictures cost, as :func:`quote` tells it."""
    rows = []
    for can in registry().capabilities:
        if can.is_retired or can.kind not in QUOTED:
            continue
        for audio, resolution in combinations(can.audio, can.resolutions):
            fields = {**QUOTED[can.kind], "model": can.model, "resolution": resolution, "audio": audio}
            told = [quote(parse_request(fields), can.family, Terms(region)) for region in REGIONS]
            if told[0].units is not None:
                money = [f"{one.money:.3f} {one.currency}" for one in told]
                rows.append([can.kind, can.model, audio, resolution, f"{told[0].units:.1f}", *money, str(told[0].sure)])
    head = [
        "kind",
        "model",
        "sound",
        "resolution",
        "units",
        *(f"without a pack, {region}" for region in REGIONS),
        "sure",
    ]
    return _table(head, list(map(list, dict.fromkeys(map(tuple, rows)))))


def presets() -> str:
    """List what a render plan can ask for."""
    rows = [
        [f"`{name}`", f"`{_file_name(name)}`", row.summary, ", ".join(f"`{one}`" for one in _in_order(row.options))]
        for name, row in PRESETS.items()
    ]
    return _table(["preset", "file", "what it is", "options"], rows)


def _file_name(preset: str) -> str:
    return media.Output(preset=preset).file_name


def _in_order(options: frozenset[str]) -> list[str]:
    return [name for name in media.Output.model_fields if name in options]


def plan() -> str:
    """List the fields of a render plan."""
    parts = (media.Output, media.Trim, media.Gates)
    return "\n\n".join(f"`{part.__name__}`: {_first_sentence(part)}\n\n{_fields(part, set())}" for part in parts)


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


def paid_calls() -> str:
    """List the calls that cost with the tests that cut their answers."""
    rows = [[*row[:-1], f"`{row.test}`"] for row in paid.rows()]
    return _table(["call", "can Kling be asked?", "on record in", "paid again by", f"test in `{paid.FILE}`"], rows)


def scenarios() -> str:
    """List the faults with the tests that prove what becomes of them."""
    tests: dict[int, list[str]] = defaultdict(list)
    for proof in faults.proofs():
        for number in proof.rows:
            tests[number].append(f"`{proof.test.removeprefix('tests/')}`")
    rows = [
        [str(row.number), row.where, row.fault, row.outcome, "<br>".join(tests[row.number]) or row.instead]
        for row in faults.rows()
    ]
    return _table(["row", "where", "what goes wrong", "what happens", "proved by, below `tests/`"], rows)


def measured(name: str) -> str:
    """List what a benchmark has found."""
    kept = json.loads((FIGURES / f"{name}.json").read_text())
    parts = [f"Measured {kept['machine']}."]
    for one in kept["tables"]:
        parts += [f"**{one['title']}**", _table(one["head"], one["rows"]), *one["notes"]]
    return "\n\n".join(parts)


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [f"| {' | '.join(cells)} |" for cells in (head, *rows)]
    return "\n".join([lines[0], "|---" * len(head) + "|", *lines[1:]])


BLOCKS: dict[str, tuple[str, Callable[[], str]]] = {
    "states": ("README.md", states),
    "group": ("docs/operators.md", group),
    "operators": ("docs/operators.md", operators),
    "arguments": ("docs/operators.md", arguments),
    "options": ("docs/configuration.md", options),
    "models": ("docs/requests.md", models),
    "products": ("docs/products.md", products),
    "endpoints": ("docs/api-coverage.md", endpoints),
    "prices": ("docs/requests.md", prices),
    "quotes": ("docs/prices.md", quotes),
    "errors": ("docs/reliability.md", errors),
    "presets": ("docs/media.md", presets),
    "plan": ("docs/media.md", plan),
    "paid-calls": ("docs/reliability.md", paid_calls),
    "scenarios": ("docs/reliability.md", scenarios),
    **{path.stem: ("docs/performance.md", partial(measured, path.stem)) for path in sorted(FIGURES.glob("*.json"))},
}


def main(check: bool) -> int:
    """Write the blocks; with ``check`` return 1 when one is out of date or a row of the faults is unproved."""
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
    unproved = faults.problems(faults.rows(), faults.proofs())
    print("\n".join(unproved), end="\n" * bool(unproved))
    return 1 if check and (stale or unproved) else 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
