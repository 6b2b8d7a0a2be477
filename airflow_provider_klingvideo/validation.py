"""What pydantic finds wrong, in plain words: the field, the value, and what is legal there.

Everything that people write and pydantic reads (requests, render plans, films, settings) is told here alone, so that no
message shows pydantic's own words or the types of Python.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from math import isfinite
from typing import Any, TypeGuard

from pydantic import BaseModel, ValidationError

from airflow_provider_klingvideo._json import read_json
from airflow_provider_klingvideo.errors import Fault, named, quoted

FIELDS_SHOWN = 8
SIMILAR = 0.7

Schema = Mapping[str, Any]
Advised = tuple[str, str | None]
"""What is wrong with a name, and the one that is legal, None for any that there is."""
NameHint = Callable[[str, Sequence[str]], Advised]
"""Called with the name of a field that there is not, and those that there are."""


class NotLegal(ValueError):  # noqa: N818 - it becomes a fault, and is no error of its own
    """Raised by a validator: what is wrong, and what would be legal; empty for what the field's type says."""

    def __init__(self, what: str, legal: str = "") -> None:
        super().__init__(what)
        self.legal = legal


def faults_of(
    error: ValidationError, model: type[BaseModel], *, whole: str, hint: NameHint | None = None
) -> list[Fault]:
    """Return what pydantic found wrong, a fault for each field.

    :param error: what it raised.
    :param model: what the value was read as.
    :param whole: what the value is called where no field of it is to blame: ``the request``, ``the plan``.
    :param hint: see :data:`NameHint`; default: a field with a similar name.
    """
    found: dict[str, list[_Found]] = {}
    for one in error.errors(include_url=False):
        place = _Found(dict(one), _schema_of(model))
        if not place.is_miscounted:
            found.setdefault(place.where, []).append(place)
    return [_fault(where or whole, ones, hint or similar_name) for where, ones in found.items()]


def similar_name(name: str, fields: Sequence[str]) -> Advised:
    """Say that there is no such field, and which one may be meant."""
    close = get_close_matches(name.lower(), fields, n=1, cutoff=SIMILAR)
    return f"{named(name)} is not a field{f'; did you mean `{close[0]}`?' if close else ''}", None


class _Found:
    """One error of pydantic's, and the part of the schema that it is about."""

    def __init__(self, error: Mapping[str, Any], root: Schema) -> None:
        self.input: Any = error.get("input")
        # Of a text with other marks beside its length pydantic says what it says of a list.
        is_text = isinstance(self.input, str) and error["type"] in ("too_short", "too_long")
        self.type: str = f"string_{error['type']}" if is_text else error["type"]
        self.cause = error.get("ctx", {}).get("error")
        parts = [*error["loc"]]
        self.unknown: str | None = str(parts.pop()) if self.type == "extra_forbidden" else None
        path, self.schema = _walked(root, parts)
        self.where = ".".join([*path, *([named(self.unknown).strip("`")] if self.unknown is not None else [])])

    @property
    def is_miscounted(self) -> bool:
        """Whether a list is long enough: of one with wrong entries pydantic counts the right ones alone."""
        return self.type == "too_short" and len(self.input or ()) >= self.schema.get("minItems", 0)


def _fault(where: str, found: Sequence[_Found], hint: NameHint) -> Fault:
    first = found[0]
    if first.unknown is not None:
        fields = [*_fields(first.schema)]
        wrong, legal = hint(first.unknown, fields)
        return Fault(where, wrong, legal or f"the fields {', '.join(fields)}")
    # A value that may be one of several is refused once for each of them.
    wrong = _wrong(first) if len(found) == 1 else f"{quoted(first.input)} is not legal"
    return Fault(where, wrong, getattr(first.cause, "legal", "") or in_words(first.schema))


def _wrong(found: _Found) -> str:
    if found.cause is not None:
        return str(found.cause)
    if found.type == "missing":
        return "is missing"
    if fault := fault_of_json(found.input):
        return f"{quoted(found.input)} is not valid JSON: {fault}"
    # A bound that it breaks says nothing of it: NaN is neither too large nor too small.
    if isinstance(found.input, float) and not isfinite(found.input):
        return f"{quoted(found.input)} is not a finite number"
    return f"{quoted(found.input)} {WRONG.get(found.type, 'is not legal')}"


def fault_of_json(value: Any) -> str | None:
    """Say what is wrong with a text that begins like a JSON list or object; None for a right one and for all else."""
    if not is_json_text(value):
        return None
    try:
        read_json(value)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        # What a template writes of a list, where nobody has told it to write JSON.
        is_single = value[error.pos : error.pos + 1] == "'"
        return f"{place}: {'texts need double quotes; in a template write | tojson' if is_single else error.msg}"
    except ValueError as error:
        return f"it {error}" if str(error).startswith("has ") else str(error)
    except RecursionError:
        return "it is nested too deep"
    return None


def is_json_text(value: Any) -> TypeGuard[str]:
    """Whether a value is a text that begins like a JSON list or object."""
    return isinstance(value, str) and value.lstrip()[:1] in ("[", "{")


def with_json_read(values: Any, model: type[BaseModel]) -> Any:
    """Return values in which a text that is JSON stands as what it says, wherever a list or an object is legal.

    Cells of a table, templates, forms and command lines hold nothing but text. A text that is not valid JSON stays, and
    is refused when the values are validated; so does one in a field that takes texts.
    """
    return _read(values, _schema_of(model))


def _read(value: Any, node: Schema) -> Any:
    if not node:
        return value
    arms = [arm for arm in _arms(node) if arm.get("type") in ("array", "object")]
    if is_json_text(value) and arms and not any(_is_text(arm) for arm in _arms(node)):
        value = read_json(value) if fault_of_json(value) is None else value
    if isinstance(value, Mapping):
        return {name: _read(item, _inner(arms, name)) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_read(item, _inner(arms, index)) for index, item in enumerate(value)]
    return value


def _is_text(node: Schema) -> bool:
    return node.get("type") == "string" and not _choices(node)


def _inner(arms: Iterable[Schema], part: Any) -> Schema:
    return next((found for arm in arms if (found := _step(arm, part)) is not None), {})


_NUMBER, _WHOLE, _TEXT = "is not a number", "is not a whole number", "is not a text"
_TRUTH, _LIST, _OBJECT = "is neither true nor false", "is not a list", "is not an object"
_SMALL, _LARGE, _SHORT, _LONG = "is too small", "is too large", "is too short", "is too long"
_CHOICE = "is none of the choices"

WRONG: Mapping[str, str] = {
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_from_float": _WHOLE,
    "int_parsing_size": _LARGE,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "decimal_type": _NUMBER,
    "decimal_parsing": _NUMBER,
    "finite_number": "is not a finite number",
    "bool_type": _TRUTH,
    "bool_parsing": _TRUTH,
    "string_type": _TEXT,
    "string_sub_type": _TEXT,
    "string_unicode": "holds characters that cannot be stored",
    "string_too_short": _SHORT,
    "string_too_long": _LONG,
    "string_pattern_mismatch": "has characters or a form that cannot be used",
    "tuple_type": _LIST,
    "list_type": _LIST,
    "set_type": _LIST,
    "frozen_set_type": _LIST,
    "iterable_type": _LIST,
    "too_short": "has too few entries",
    "too_long": "has too many entries",
    "dict_type": _OBJECT,
    "mapping_type": _OBJECT,
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "dataclass_type": _OBJECT,
    "union_tag_invalid": _CHOICE,
    "union_tag_not_found": "does not say what it is",
    "literal_error": _CHOICE,
    "enum": _CHOICE,
    "greater_than": _SMALL,
    "greater_than_equal": _SMALL,
    "less_than": _LARGE,
    "less_than_equal": _LARGE,
    "multiple_of": "cannot be divided evenly",
    "invalid_key": "has a name that is not a text",
}
"""Types of pydantic's errors, and what is said of the value in their place."""


@cache
def _schema_of(model: type[BaseModel]) -> Schema:
    schema = model.model_json_schema()
    resolved: Schema = _resolved(schema, schema.get("$defs", {}))
    return resolved


def _resolved(node: Any, defs: Schema, inside: tuple[str, ...] = ()) -> Any:
    """Return a schema with definitions in the place of references; one that contains itself ends there."""
    if isinstance(node, list):
        return [_resolved(one, defs, inside) for one in node]
    if not isinstance(node, Mapping):
        return node
    if "$ref" in node:
        name = str(node["$ref"]).rpartition("/")[2]
        beside = {key: value for key, value in node.items() if key != "$ref"}
        target = {} if name in inside else _resolved(defs.get(name, {}), defs, (*inside, name))
        return {**target, **beside}
    return {key: _resolved(value, defs, inside) for key, value in node.items() if key != "$defs"}


def _walked(root: Schema, parts: Iterable[Any]) -> tuple[list[str], Schema]:
    """Follow an error's place into the schema; the names of a union's arms, which are no fields, are left out."""
    path: list[str] = []
    node = root
    for part in parts:
        if (chosen := _chosen_arm(node, part)) is not None:
            node = chosen
        elif (inner := next((found for arm in _arms(node) if (found := _step(arm, part)) is not None), None)) is None:
            continue
        else:
            path, node = [*path, str(part)], inner
    return path, node


def _chosen_arm(node: Schema, part: Any) -> Schema | None:
    """The arm of a union that a value has named itself as."""
    field = node.get("discriminator", {}).get("propertyName")
    named = (arm for arm in _arms(node) if field and arm is not node)
    return next((arm for arm in named if part in _choices(arm["properties"][field])), None)


def _arms(node: Schema) -> list[Schema]:
    arms = [*node.get("anyOf", ()), *node.get("oneOf", ())]
    return [inner for arm in arms for inner in _arms(arm)] if arms else [node]


def _step(node: Schema, part: Any) -> Schema | None:
    if isinstance(part, int):
        entries = node.get("prefixItems", ())
        found = entries[part] if part < len(entries) else node.get("items")
    else:
        found = node.get("properties", {}).get(part)
    return found if isinstance(found, Mapping) else None


def _fields(node: Schema) -> Iterator[str]:
    yield from dict.fromkeys(name for arm in _arms(node) for name in arm.get("properties", {}))


def _choices(node: Schema) -> list[Any]:
    return [node["const"]] if "const" in node else [*node.get("enum", ())]


def in_words(node: Schema) -> str:
    """Say what a schema lets through."""
    arms = [arm for arm in _arms(node) if arm.get("type") != "null"]
    return " or ".join(dict.fromkeys(map(_arm_in_words, arms))) or "nothing"


def _arm_in_words(node: Schema) -> str:
    if choices := _choices(node):
        return ", ".join(map(str, choices))
    if node.get("type") != "object" and "description" in node:
        return str(node["description"])
    words = _WORDS.get(node.get("type", ""))
    return words(node) if words else "any value"


def _number(noun: str) -> Callable[[Schema], str]:
    return lambda node: ", ".join([noun, *(f"{word} {node[name]:g}" for name, word in _BOUNDS.items() if name in node)])


_BOUNDS = {
    "minimum": "at least",
    "exclusiveMinimum": "above",
    "maximum": "at most",
    "exclusiveMaximum": "below",
    "multipleOf": "divisible by",
}


def _text(node: Schema) -> str:
    if "pattern" in node:
        return f"a text of the form {node['pattern']}"
    most = f", at most {node['maxLength']} characters" if "maxLength" in node else ""
    return f"a text that is not empty{most}" if node.get("minLength") else f"a text{most}"


def _list(node: Schema) -> str:
    entries = [node["items"]] if isinstance(node.get("items"), Mapping) else [*node.get("prefixItems", ())]
    of = " and ".join(dict.fromkeys(map(in_words, entries)))
    least, most = node.get("minItems", 0), node.get("maxItems")
    many = "" if not most else f" with {most} entries" if least == most else f" with {least} to {most} entries"
    return f"a list{many}, each {of}" if of else f"a list{many}"


def _object(node: Schema) -> str:
    fields = [*_fields(node)]
    return f"an object with the fields {', '.join(fields)}" if 0 < len(fields) <= FIELDS_SHOWN else "an object"


_WORDS: Mapping[str, Callable[[Schema], str]] = {
    "integer": _number("a whole number"),
    "number": _number("a number"),
    "boolean": lambda _node: "true or false",
    "string": _text,
    "array": _list,
    "object": _object,
}
