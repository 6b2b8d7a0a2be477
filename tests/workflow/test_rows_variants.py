"""One good table, written in two thousand ways: each is the same orders under the same keys, or refused whole."""

from __future__ import annotations

import csv
import gzip
import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from io import BytesIO, StringIO
from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from pyarrow.parquet import write_table
from test_rows import Memory

from airflow_provider_klingvideo.errors import KlingVideoError
from airflow_provider_klingvideo.kling import ApiFamily, check_request, parse_request
from airflow_provider_klingvideo.kling.catalogue.capabilities import registry
from airflow_provider_klingvideo.workflow.batch.rows import keyed, listed_rows, read_rows

VARIANTS = 2000
TABLE = [
    {
        "key": "fox",
        "kind": "text_to_video",
        "prompt": "A fox, red, runs\nthrough fresh snow",
        "model": "kling-2.6",
        "duration": "5",
        "resolution": "1080p",
        "aspect_ratio": "16:9",
        "audio": "native",
        "watermark": "true",
        "negative_prompt": "",
    },
    {
        "key": "boat",
        "kind": "",
        "prompt": 'A "big" boat; at sea',
        "model": "kling-2.5-turbo",
        "duration": "10",
        "resolution": "720p",
        "aspect_ratio": "9:16",
        "audio": "",
        "watermark": "false",
        "negative_prompt": "",
    },
    {
        "key": "owl",
        "kind": "text_to_video",
        "prompt": 'Eule: 狐 🦊 | nachts, 5" groß',
        "model": "kling-3.0-turbo",
        "duration": "8",
        "resolution": "",
        "aspect_ratio": "1:1",
        "audio": "",
        "watermark": "",
        "negative_prompt": "",
    },
    {
        "key": "7",
        "kind": "",
        "prompt": "plain words",
        "model": "",
        "duration": "",
        "resolution": "",
        "aspect_ratio": "",
        "audio": "",
        "watermark": "",
        "negative_prompt": "",
    },
]
TYPES: dict[str, Callable[[str], Any]] = {"duration": int, "watermark": lambda text: text == "true"}
NAMES = ("kind", "model", "resolution", "aspect_ratio", "audio")
BLANKS = (" ", "\t", "\u00a0", "\u3000", "\u200b", "\ufeff", "\u2060", "\u2009", "  ", "\n", "\r\n", "\u200d", "\u180e")
WIDE = str.maketrans({code: code + 0xFEE0 for code in range(0x21, 0x7F)})


@dataclass
class Sheet:
    """A table on its way to a file.

    :param header: the names of the columns.
    :param rows: their cells.
    :param options: how the file is written.
    """

    header: list[str]
    rows: list[list[Any]]
    options: dict[str, Any] = field(default_factory=dict)

    def change(self, names: tuple[str, ...], change: Callable[[str], str], rng: random.Random) -> None:
        for index, name in enumerate(self.header):
            for row in self.rows:
                if name in names and isinstance(row[index], str) and row[index].strip() and rng.random() < 0.6:
                    row[index] = change(row[index])


def pad(sheet: Sheet, rng: random.Random) -> None:
    """Blanks and invisible characters around cells."""
    sheet.change(tuple(TABLE[0]), lambda text: rng.choice(BLANKS) + text + rng.choice(BLANKS), rng)


def wide(sheet: Sheet, rng: random.Random) -> None:
    """Full-width letters and digits, as an Asian keyboard writes them."""
    sheet.change((*NAMES, "duration"), lambda text: text.translate(WIDE), rng)


def case(sheet: Sheet, rng: random.Random) -> None:
    sheet.change(NAMES, lambda text: rng.choice((text.upper(), text.title(), text.swapcase())), rng)


def dashes(sheet: Sheet, rng: random.Random) -> None:
    """Dashes of a word processor, spaces and Cyrillic letters in the place of what they look like."""
    table = str.maketrans({"-": rng.choice("\u2010\u2011\u2013\u2014\u2212_ "), "o": rng.choice("o\u043e")})
    sheet.change(("model",), lambda text: text.translate(table), rng)


def numbers(sheet: Sheet, rng: random.Random) -> None:
    sheet.change(("duration",), lambda text: rng.choice((f"{text}.0", f" {text}", f"{text}.00", f"0{text}")), rng)


def booleans(sheet: Sheet, rng: random.Random) -> None:
    spellings = {"true": ("TRUE", "True", "yes", "Yes", "1", "on"), "false": ("FALSE", "no", "0", "off", "False")}
    sheet.change(("watermark",), lambda text: rng.choice(spellings.get(text, (text,))), rng)


def reorder(sheet: Sheet, rng: random.Random) -> None:
    order = rng.sample(range(len(sheet.header)), len(sheet.header))
    sheet.header = [sheet.header[index] for index in order]
    sheet.rows = [[row[index] for index in order] for row in sheet.rows]


def headings(sheet: Sheet, rng: random.Random) -> None:
    spell = rng.choice(
        (
            str.upper,
            str.title,
            lambda name: f" {name} ",
            lambda name: name.replace("_", " "),
            lambda name: f"{name}\u200b",
        )
    )
    sheet.header = [spell(name) for name in sheet.header]


def blank_rows(sheet: Sheet, rng: random.Random) -> None:
    width = len(sheet.header)
    for _ in range(rng.randint(1, 3)):
        sheet.rows.insert(rng.randint(0, len(sheet.rows)), [rng.choice(("", " ", "\u00a0"))] * width)


def notes(sheet: Sheet, rng: random.Random) -> None:
    at = rng.randint(0, len(sheet.header))
    sheet.header.insert(at, rng.choice(("#", "# ask Tom", "_notes", " #who")))
    for row in sheet.rows:
        row.insert(at, rng.choice(("", "ask Tom first", '"quoted", and more')))


def empty_columns(sheet: Sheet, rng: random.Random) -> None:
    """What a spreadsheet exports where somebody has once touched a cell far to the right."""
    for _ in range(rng.randint(1, 4)):
        sheet.header.append("")
        for row in sheet.rows:
            row.append(rng.choice(("", " ")))


def counted(sheet: Sheet, rng: random.Random) -> None:
    """The column in which a data frame counts its rows."""
    sheet.header.insert(0, "")
    for number, row in enumerate(sheet.rows):
        row.insert(0, str(number))


def drop_cell(sheet: Sheet, rng: random.Random) -> None:
    row = rng.choice(sheet.rows)
    row.pop(rng.randrange(len(row)))


def add_cell(sheet: Sheet, rng: random.Random) -> None:
    row = rng.choice(sheet.rows)
    row.insert(rng.randint(0, len(row)), rng.choice(("", "A dog", "5", "kling-2.6")))


def double_heading(sheet: Sheet, rng: random.Random) -> None:
    at = rng.randrange(len(sheet.header))
    sheet.header.insert(at, rng.choice((sheet.header[at], sheet.header[at].upper())))
    for row in sheet.rows:
        row.insert(at, rng.choice(("", "x")))


def lost_heading(sheet: Sheet, rng: random.Random) -> None:
    sheet.header[rng.randrange(len(sheet.header))] = rng.choice(("", "notes", "promt2", "duratio"))


def repeated_header(sheet: Sheet, rng: random.Random) -> None:
    sheet.rows.insert(rng.randint(1, len(sheet.rows)), list(sheet.header))


def strange_character(sheet: Sheet, rng: random.Random) -> None:
    row, sign = rng.choice(sheet.rows), rng.choice("\x00\x01\x08\x1a\x1b\x7f\x9c")
    at = rng.randrange(len(row))
    if text := row[at]:
        cut = rng.randint(1, len(text))
        row[at] = text[:cut] + sign + text[cut:] + "x"


def broken_export(sheet: Sheet, rng: random.Random) -> None:
    row = rng.choice(sheet.rows)
    row[rng.randrange(len(row))] = rng.choice(("#REF!", "#N/A", "NaN", "None", "nan", "NULL"))


def misspelt_model(sheet: Sheet, rng: random.Random) -> None:
    def misspell(name: str) -> str:
        at = rng.randrange(1, len(name) - 1)
        return rng.choice((name[:at] + name[at + 1 :], name[:at] + name[at + 1] + name[at] + name[at + 2 :]))

    sheet.change(("model",), misspell, rng)


def without_quotes(sheet: Sheet, _rng: random.Random) -> None:
    sheet.options["quoted"] = False


def other_delimiter(sheet: Sheet, rng: random.Random) -> None:
    sheet.options["delimiter"] = rng.choice(";\t|")


def lost_quote(sheet: Sheet, _rng: random.Random) -> None:
    sheet.options["lost_quote"] = True


def other_encoding(sheet: Sheet, rng: random.Random) -> None:
    names = ("utf-16-le", "utf-16-be", "cp1252", "latin-1", "gb18030", "shift_jis", "cp437", "mac-roman")
    sheet.options["encoding"] = rng.choice(names)


def packed(sheet: Sheet, _rng: random.Random) -> None:
    sheet.options["packed"] = True


def good_encoding(sheet: Sheet, rng: random.Random) -> None:
    sheet.options["encoding"] = rng.choice(("utf-8", "utf-8-sig", "utf-16", "utf-32"))


def line_ends(sheet: Sheet, rng: random.Random) -> None:
    sheet.options["line_end"] = rng.choice(("\n", "\r\n", "\r"))


def marks(sheet: Sheet, rng: random.Random) -> None:
    sheet.options["end"] = rng.choice(("\x1a", "\n\x1a", "\r\n\x1a\r\n", "\n\n\n", "\r\n", ""))


def all_quoted(sheet: Sheet, _rng: random.Random) -> None:
    sheet.options["all_quoted"] = True


def sep_line(sheet: Sheet, _rng: random.Random) -> None:
    sheet.options["sep"] = True


LAST = (notes, counted, drop_cell, add_cell)
HARMLESS = {
    "cells": (pad, wide, case, dashes, numbers, booleans, reorder, headings, notes, good_encoding, line_ends, marks),
    "csv": (blank_rows, empty_columns, counted, all_quoted, sep_line),
}
HARMFUL = {
    "cells": (double_heading, lost_heading, strange_character, broken_export, misspelt_model, other_encoding, packed),
    "csv": (drop_cell, add_cell, repeated_header, without_quotes, other_delimiter, lost_quote),
}


def csv_of(sheet: Sheet, rng: random.Random) -> bytes:
    options, stream = sheet.options, StringIO(newline="")
    delimiter, end = options.get("delimiter", ","), options.get("line_end", "\n")
    if options.get("quoted", True):
        quoting = csv.QUOTE_ALL if options.get("all_quoted") else csv.QUOTE_MINIMAL
        writer = csv.writer(stream, delimiter=delimiter, lineterminator="\n", quoting=quoting)
        writer.writerows([sheet.header, *sheet.rows])
        text = stream.getvalue()
    else:
        text = "".join(f"{delimiter.join(map(str, row))}\n" for row in [sheet.header, *sheet.rows])
    if options.get("lost_quote") and '"' in text:
        at = rng.choice([index for index, sign in enumerate(text) if sign == '"'])
        text = text[:at] + text[at + 1 :]
    if options.get("sep"):
        text = f"sep={delimiter}\n{text}"
    text = text.replace("\r\n", "\n").replace("\n", end)
    return _encoded((text.rstrip("\r\n") if rng.random() < 0.3 else text) + options.get("end", ""), options)


def _encoded(text: str, options: dict[str, Any]) -> bytes:
    content = text.encode(options.get("encoding", "utf-8"), errors="replace")
    return gzip.compress(content) if options.get("packed") else content


def objects_of(sheet: Sheet, rng: random.Random) -> list[str]:
    """Each row as the text of an object, whose names may be given twice."""
    is_typed, is_ascii = rng.random() < 0.5, rng.random() < 0.5

    def text(value: Any) -> str:
        return json.dumps(value, ensure_ascii=is_ascii)

    def value(name: str, cell: Any) -> Any:
        if cell == "":
            return rng.choice(("", None))
        return TYPES[name](cell) if is_typed and name in TYPES and cell in PLAIN[name] else cell

    rows = [[(name, value(name, cell)) for name, cell in zip(sheet.header, row, strict=True)] for row in sheet.rows]
    return [f"{{{', '.join(f'{text(name)}: {text(cell)}' for name, cell in row)}}}" for row in rows]


PLAIN = {name: {row[name] for row in TABLE if row[name]} for name in TYPES}


def jsonl_of(sheet: Sheet, rng: random.Random) -> bytes:
    end = sheet.options.get("line_end", "\n")
    return _encoded(end.join(objects_of(sheet, rng)) + sheet.options.get("end", ""), sheet.options)


def json_of(sheet: Sheet, rng: random.Random) -> bytes:
    text = f"[{f',{chr(10)}'.join(objects_of(sheet, rng))}]"
    if rng.random() < 0.1:
        text = text[: rng.randrange(len(text))]
    return _encoded(text + sheet.options.get("end", ""), sheet.options)


def parquet_of(sheet: Sheet, rng: random.Random) -> bytes:
    columns = [pa.array([row[index] or None for row in sheet.rows], pa.string()) for index in range(len(sheet.header))]
    stream = BytesIO()
    write_table(pa.table(columns, names=sheet.header), stream)
    content = stream.getvalue()
    if sheet.options.get("packed"):
        return gzip.compress(content)
    return content[: rng.randrange(len(content))] if rng.random() < 0.1 else content


WRITERS = {"csv": csv_of, "jsonl": jsonl_of, "json": json_of, "parquet": parquet_of}


REFUSALS: list[KlingVideoError] = []


def orders(name: str, content: bytes) -> dict[str, Any] | None:
    """The requests by their keys, as all of them are checked before one is ordered; None where they are refused."""
    try:
        requests = keyed(read_rows(Memory(name, content)))
        parsed = {key: parse_request(request) for key, request in requests.items()}
        for request in parsed.values():
            families = registry().families(request.kind, request.model_name) or [ApiFamily.NEW]
            check_request(request, families[0])
    except KlingVideoError as error:
        REFUSALS.append(error)
        return None
    return parsed


@cache
def expected() -> dict[str, Any]:
    parsed = orders("good.csv", csv_of(good(), random.Random(0)))
    assert parsed is not None
    assert list(parsed) == [row["key"] for row in TABLE]
    return parsed


def good() -> Sheet:
    return Sheet(list(TABLE[0]), [list(row.values()) for row in TABLE])


def variant(seed: int) -> tuple[str, bytes, list[str], bool]:
    """Return a format, the content of a file, what was done to the table, and whether all of that is harmless."""
    rng = random.Random(seed)
    form = rng.choice(("csv", "csv", "csv", "jsonl", "json", "parquet"))
    sheet, kinds = good(), ("cells", "csv") if form == "csv" else ("cells",)
    harmless = [one for kind in kinds for one in HARMLESS[kind]]
    harmful = [one for kind in kinds for one in HARMFUL[kind]]
    chosen = rng.sample(harmless, rng.randint(0, 4)) + rng.sample(harmful, rng.choice((0, 0, 1)))
    for change in sorted(chosen, key=lambda change: (change in LAST, change in (pad, wide, headings))):
        change(sheet, rng)
    content = WRITERS[form](sheet, rng)
    return form, content, [one.__name__ for one in chosen], not set(chosen) & set(harmful) and form == "csv"


def test_every_variant_is_the_same_orders_or_none() -> None:
    good_orders, ends = expected(), Counter()
    REFUSALS.clear()
    for seed in range(VARIANTS):
        form, content, changes, is_harmless = variant(seed)
        found = orders(f"rows.{form}", content)
        ends[found is None] += 1
        assert found in (None, good_orders), (seed, form, changes, content)
        assert found is not None or not is_harmless, (seed, form, changes, content)
    assert ends[False] > VARIANTS / 2
    assert ends[True] > VARIANTS / 10
    assert all(error.advice and error.money == "none" for error in REFUSALS)


def test_a_row_without_a_name_has_the_same_key_however_it_is_written() -> None:
    names = [name for name in TABLE[0] if name != "key"]
    clean = Sheet(names, [[row[name] for name in names] for row in TABLE])
    keys = list(keyed(read_rows(Memory("rows.csv", csv_of(clean, random.Random(0))))))
    assert len(set(keys)) == len(TABLE)
    for seed in range(300):
        rng = random.Random(seed)
        sheet = Sheet(list(clean.header), [list(row) for row in clean.rows])
        chosen = rng.sample([*HARMLESS["cells"], *HARMLESS["csv"]], rng.randint(1, 4))
        for change in sorted(chosen, key=lambda change: (change in LAST, change in (pad, wide, headings))):
            change(sheet, rng)
        assert list(keyed(read_rows(Memory("rows.csv", csv_of(sheet, rng))))) == keys, (seed, chosen)


ROW_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
ROWS = st.lists(
    st.dictionaries(
        st.sampled_from(["prompt", "model", "duration", "watermark", "audio", "video_id", "elements", "first_frame"]),
        ROW_TEXTS | st.integers() | st.floats() | st.booleans() | st.lists(ROW_TEXTS, max_size=2) | st.none(),
    ),
    max_size=4,
)


@given(ROWS)
def test_what_was_read_is_read_again_as_it_is(rows: list[dict[str, Any]]) -> None:
    try:
        read = listed_rows(rows)
    except KlingVideoError:
        return
    assert listed_rows(read) == read
    assert list(keyed(listed_rows(read))) == list(keyed(read))


@given(ROWS, st.sampled_from(BLANKS), st.sampled_from(BLANKS))
def test_blanks_around_text_change_nothing(rows: list[dict[str, Any]], before: str, behind: str) -> None:
    def padded(value: Any) -> Any:
        return f"{before}{value}{behind}" if isinstance(value, str) else value

    try:
        read = listed_rows(rows)
    except KlingVideoError:
        return
    assert listed_rows([{name: padded(value) for name, value in row.items()} for row in rows]) == read


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Cf", "Co", "Cn"]), min_size=1))
def test_words_stay_as_their_author_wrote_them(words: str) -> None:
    kept = f"<A{words}>"
    lines = kept.replace("\u2028", "\n").replace("\u2029", "\n")
    assert listed_rows([{"prompt": kept}]) == [{"prompt": lines}]
    assert parse_request({"prompt": kept}).model_dump()["prompt"] == kept
