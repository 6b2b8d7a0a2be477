"""Requests of a batch from files, and the names that they keep."""

from __future__ import annotations

import csv
import json
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from io import BytesIO, StringIO

import pyarrow as pa
import pytest
from airflow.sdk import ObjectStoragePath
from hypothesis import assume, example, given
from hypothesis import strategies as st
from pyarrow.parquet import write_table

from airflow_provider_klingvideo._text import with_plain_lines
from airflow_provider_klingvideo.workflow.batch.rows import keyed, read_rows
from airflow_provider_klingvideo.workflow.job.errors import InputError


class Memory:
    """A file that is nowhere; all that is asked of a path is its name, and a stream of its content."""

    def __init__(self, name, content):
        self.name = name
        self.content = content.encode() if isinstance(content, str) else content

    def __str__(self):
        return f"mem://{self.name}"

    protocol = "memory"

    def open(self, mode):
        assert mode == "rb"
        if isinstance(self.content, Exception):
            raise self.content
        return BytesIO(self.content)


def read(name, content):
    return read_rows(Memory(name, content))


def columns(rows):
    return list(dict.fromkeys(name for row in rows for name in row))


def as_csv(rows):
    stream = StringIO(newline="")
    writer = csv.DictWriter(stream, columns(rows))
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def as_parquet(rows):
    stream = BytesIO()
    write_table(pa.Table.from_pylist([{name: row.get(name) for name in columns(rows)} for row in rows]), stream)
    return stream.getvalue()


class TestFormats:
    def test_csv(self):
        text = '\ufeffprompt,duration,model\nA fox,5,\n"A hare,\r\nrunning",10,kling-2.6\n,,\n'
        assert read("rows.CSV", text) == [
            {"prompt": "A fox", "duration": "5"},
            {"prompt": "A hare,\nrunning", "duration": "10", "model": "kling-2.6"},
        ]

    def test_a_column_without_a_name_is_what_a_data_frame_counts_its_rows_in(self):
        assert read("rows.csv", ",prompt,\n0,A fox,\n1,A hare,\n") == [{"prompt": "A fox"}, {"prompt": "A hare"}]

    def test_jsonl(self):
        text = '\ufeff{"prompt": "A fox", "model": null, "n": ""}\r\n\n{}\n{"prompt": "狐", "duration": 5}\n'
        assert read("rows.jsonl", text) == [{"prompt": "A fox"}, {"prompt": "狐", "duration": 5}]

    def test_json(self):
        text = (
            '[{"prompt": "A fox", "elements": [{"id": "a", "url": null}, null]},\n{"duration": 5.0, "cfg_scale": 0.5}]'
        )
        rows = read("rows.json", text)
        assert rows == [{"prompt": "A fox", "elements": [{"id": "a"}, None]}, {"duration": 5, "cfg_scale": 0.5}]
        assert isinstance(rows[1]["duration"], int)

    def test_parquet(self):
        moment = datetime(2026, 10, 5, 12, tzinfo=UTC)
        rows = [
            {"prompt": "A fox", "model": None, "elements": [{"id": "a"}, {"url": "b"}], "speed": Decimal("2.50")},
            {"prompt": "", "model": "kling-2.6", "elements": None, "speed": Decimal("3.00")},
            {"key": date(2026, 10, 5), "shots": moment, "watermark": True, "n": 7, "speed": None},
        ]
        assert json.loads(json.dumps(read("rows.parquet", as_parquet(rows)))) == [
            {"prompt": "A fox", "elements": [{"id": "a"}, {"url": "b"}], "speed": 2.5},
            {"model": "kling-2.6", "speed": 3},
            {"key": "2026-10-05", "shots": "2026-10-05T12:00:00+00:00", "watermark": True, "n": 7},
        ]

    def test_a_column_of_whole_numbers_stays_one_when_a_data_frame_leaves_a_cell_empty(self):
        whole = as_parquet([{"duration": 5}, {"duration": 10}])
        frame = as_parquet([{"duration": 5.0}, {"duration": 10.0}, {"duration": float("nan")}])
        assert read("a.parquet", frame) == read("a.parquet", whole)
        assert json.dumps(read("a.parquet", frame)) == '[{"duration": 5}, {"duration": 10}]'

    @pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.json", "a.parquet"])
    def test_a_path_of_airflow_is_read_as_one_of_pathlib(self, tmp_path, name):
        rows = [{"key": "0", "prompt": "Füchse 狐"}]
        content = {"csv": as_csv, "jsonl": lambda rows: json.dumps(rows[0]), "json": json.dumps, "parquet": as_parquet}
        made = content[name.rpartition(".")[2]](rows)
        (tmp_path / name).write_bytes(made if isinstance(made, bytes) else made.encode())
        assert read_rows(tmp_path / name) == read_rows(ObjectStoragePath(f"file://{tmp_path}/{name}")) == rows

    # Words as all formats have them. What is at their ends, and how lines end, is not theirs.
    words = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn"])).map(lambda text: f"<A{text.strip()}>")
    rows = st.lists(st.dictionaries(st.sampled_from(["prompt", "negative_prompt", "title"]), words), min_size=1)

    @given(rows)
    @example([{"prompt": 'one\nline\tin "a", cell; or | two'}])
    def test_the_same_requests_come_from_every_format(self, rows):
        rows = [{"key": f"k{index}", **row} for index, row in enumerate(rows)]
        lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
        meant = [{name: with_plain_lines(value) for name, value in row.items()} for row in rows]
        assert read("a.csv", as_csv(rows)) == meant
        assert read("a.jsonl", lines) == meant
        assert read("a.json", json.dumps(rows)) == meant
        assert read("a.parquet", as_parquet(rows)) == meant


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.csv", ""),
        ("rows.csv", "prompt\n"),
        ("rows.csv", "\ufeffprompt,model\r\n\r\n,\r\n"),
        ("rows.jsonl", ""),
        ("rows.jsonl", "\n\n"),
        ("rows.json", "[]"),
        ("rows.json", " [ ]\n"),
        ("rows.json", "[{}]"),
    ],
)
def test_no_rows_are_no_fault(name, content):
    assert read(name, content) == []


class TestFaults:
    @pytest.mark.parametrize(
        ("name", "content", "words"),
        [
            ("rows.xlsx", "x", "the format 'xlsx' is unknown .legal: csv, jsonl, ndjson, json, parquet"),
            ("rows.csv", "prompt\n\na,b\n", "line 3: it has 2 of 1 cells"),
            ("rows.csv", 'prompt\n\n"a"b\n', "line 3: a quotation mark stands inside of a cell"),
            ("rows.csv", 'prompt\n"a\n\nb\n', "line 2: a quotation mark is not closed"),
            ("rows.csv", 'prompt,key\na "big" fox,a\n', "line 2: a quotation mark is stray"),
            ("rows.csv", 'prompt,key\nA fox",a\n', "line 2: a quotation mark is stray"),
            ("rows.csv", "prompt,model,prompt\na,b,c\n", "line 1: 'prompt' and 'prompt' are the same field"),
            ("rows.csv", "Prompt ,prompt\na,b\n", "line 1: 'Prompt' and 'prompt' are the same field"),
            ("rows.csv", "aspect ratio,Aspect-Ratio\n1:1,\n", "are the same field"),
            ("rows.csv", "prompt,duratio\na,5\n", "line 1: `duratio` is not a field; did you mean `duration`?"),
            ("rows.csv", "prompt,camera_control\na,b\n", "`camera_control` is retired"),
            ("rows.csv", "prompt,,key\na,5,k\n", "line 1: column 2 has no name, but cells such as '5'"),
            ("rows.csv", ",prompt\n5,a\n5,b\n", "line 1: column 1 has no name"),
            ("rows.csv", "key,prompt\na,b\n key ,prompt\nc,d\n", "line 3: it repeats the header"),
            ("rows.csv", "prompt;model\na;b\n", "line 1: semicolons stand between the cells"),
            ("rows.csv", "sep=;\nprompt;model\na;b\n", "semicolons stand between the cells"),
            ("rows.csv", "prompt\tmodel\na\tb\n", "line 1: tabs stand between the cells"),
            ("rows.csv", "prompt|model\na|b\n", "line 1: vertical bars stand between the cells"),
            ("rows.csv", "prompt,n\nA fox #1,#REF!\n", "line 2, column 'n': '#REF!' stands for no value"),
            ("rows.csv", "prompt\nnan\n", "line 2, column 'prompt': 'nan' stands for no value"),
            ("rows.csv", "# Shots of May\nprompt\nA fox\n", "line 1: '# Shots of May' is no header; .* in line 2"),
            ("rows.csv", "Spring\n\n\nprompt,key\nA fox,a\n", "line 1: 'Spring' is no header; .* in line 4"),
            ("rows.csv", "key,prompt\n# a,A fox\n", "line 2: '# a' looks like a comment"),
            ("rows.csv", "prompt,key\n// A fox,a\n", "line 2, column 'prompt': '// A fox' looks like a comment"),
            ("rows.csv", "id,prompt\n1,A fox\n", "`id` is not a field .legal: key, where it names a row, or _id"),
            ("rows.csv", "prompt,duration\nA fox,x\n", "column 'duration': 'x' is not a number .legal: a number"),
            ("rows.json", '[{"prompt": true}]', "'prompt': true is no text .legal: plain text"),
            (
                "rows.csv",
                "kind,video_id\nlip_sync,8.29837E+17\n",
                "line 2, column 'video_id': .*a spreadsheet has rounded",
            ),
            (
                "rows.csv",
                "prompt\na\x1ab\n",
                "column 'prompt': .* has a control character .U\\+001A. at its character 2",
            ),
            (
                "rows.csv",
                b"prompt\nFuchs\nF\xfcchse\n",
                r"line 3: the byte 0xfc is not UTF-8 .*; save the file as UTF-8",
            ),
            ("rows.csv", b"\xef\xbb\xbf\n\n\xfc", "line 3: the byte 0xfc is not UTF-8"),
            (
                "rows.csv",
                "prompt\na\n".encode("utf-16-le"),
                "line 1: a NUL character; .* UTF-16 without a byte order mark",
            ),
            ("rows.csv", b"\xff\xfea", "the byte 0x61 is not UTF-16"),
            ("rows.csv", b"\x1f\x8b\x08\0", "it is a gzip archive"),
            ("rows.csv", b"PK\x03\x04\0", "it is a ZIP archive, such as an Excel"),
            (
                "rows.jsonl",
                '{"key": 1}\n[1]\n{\n',
                r"line 2: \[1\] is no object .*; rows.jsonl, line 3, column 2: it is no JSON",
            ),
            ("rows.jsonl", "null", "line 1: null is no object"),
            ("rows.jsonl", '\n{"n": 1e999, "speed": [1e999]}', "line 2, column 'n': inf.*; .*line 2, column 'speed'"),
            ("rows.jsonl", '{"n": -Infinity}', "line 1: it cannot be read: -Infinity is no number of JSON"),
            ("rows.jsonl", '{"n": 829836802793406551.0}', "column 'n': .* has lost digits"),
            ("rows.jsonl", '{"prompt": "a", "prompt": "b"}', "line 1: 'prompt' is given more than once"),
            (
                "rows.jsonl",
                '{"elements": [{"id": "a", "id": "b"}]}',
                "column 'elements': .*gives 'id' more than once",
            ),
            ("rows.jsonl", '{"prompt": ["a"]}', r"column 'prompt': \['a'\] is no text"),
            (
                "rows.jsonl",
                '{"prompt": "A fox \\ud83e"}',
                r"line 1, column 'prompt': .* half a character .U\+D83E. at its char",
            ),
            ("rows.jsonl", '{"shots": ' + "[" * 40 + "]" * 40 + "}", "nested deeper than 20 levels"),
            ("rows.jsonl", "[" * 100_000, "line 1: it has more than 1000 brackets"),
            ("rows.jsonl", '{"n": ' + "1" * 5000 + "}", "line 1: it cannot be read: a number has 5000 digits"),
            ("rows.json", '[{"n": 1},\n3, null]', "entry 2: 3 is no object .*; rows.json, entry 3: null is no object"),
            ("rows.json", '[{"n": 1},\n{]', "line 2, column 2: it is no JSON"),
            ("rows.json", '{"n": 1}', r"rows.json: \{'n': 1\} is no list"),
            ("rows.parquet", "prompt", "rows.parquet: it cannot be read"),
            ("rows.parquet", as_parquet([{"a": "x" * 99}])[:4] + bytes(999), "rows.parquet: it cannot be read"),
            (
                "rows.parquet",
                as_parquet([{"n": "b"}, {"n": "c"}]).replace(b"PAR1\x15", b"PAR1\xff"),
                "it cannot be read",
            ),
            (
                "rows.parquet",
                as_parquet([{"n": 1, "key": None}, {"n": 2, "key": b"x"}]),
                "row 2, column 'key': .*holds bytes, which",
            ),
        ],
    )
    def test_every_fault_is_told_with_its_place(self, name, content, words):
        with pytest.raises(InputError, match=words) as caught:
            read(name, content)
        assert f"mem://{name}" in str(caught.value)
        assert caught.value.faults
        assert caught.value.advice
        assert not caught.value.retryable

    def test_a_file_that_is_missing_is_told(self, tmp_path):
        with pytest.raises(InputError, match=r"a\.csv': there is no file of this name.*Check the path") as caught:
            read_rows(tmp_path / "a.csv")
        assert not caught.value.retryable

    def test_a_store_that_cannot_be_asked_may_be_asked_again(self):
        with pytest.raises(InputError, match=r"mem://a\.csv': it cannot be read: SlowDown") as caught:
            read("a.csv", OSError("SlowDown"))
        assert caught.value.retryable

    def test_without_pyarrow_the_extra_is_named(self, monkeypatch):
        content = as_parquet([{"prompt": "b"}])
        monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
        with pytest.raises(InputError, match=r"pip install 'airflow-provider-klingvideo\[parquet\]'"):
            read("a.parquet", content)
        assert read("a.csv", "prompt\nA fox") == [{"prompt": "A fox"}]

    @given(st.text() | st.binary(), st.sampled_from(["a.csv", "a.jsonl", "a.json", "a.parquet"]))
    @example('{"a":' * 500 + "1" + "}" * 500, "a.jsonl")
    def test_any_content_is_requests_or_a_clear_error(self, content, name):
        if isinstance(content, str):
            content = content.encode(errors="surrogatepass")
        try:
            rows = read(name, content)
        except InputError:
            return
        assert all(isinstance(row, dict) and row for row in rows)


TWO = [{"key": "a", "prompt": "A fox"}, {"key": "b", "prompt": "A boat"}]


class TestWhatWasOrderedWrongly:
    """Small files of which earlier versions ordered something else than was meant."""

    @pytest.mark.parametrize(
        ("name", "content", "orders"),
        [
            ("marked.csv", "prompt\r\nA fox\r\n\x1a", [{"prompt": "A fox"}]),
            (
                "blanks.csv",
                "key,prompt,model,duration,aspect_ratio\nb,A fox, kling-2.5-turbo ,7, 16:9 \n , , , , \n",
                [{"key": "b", "prompt": "A fox", "model": "kling-2.5-turbo", "duration": "7", "aspect_ratio": "16:9"}],
            ),
            ("notes.csv", "key,prompt,#notes\na,A fox,\nb,A boat,ask Tom\n", TWO),
            ("trailing.csv", "key,prompt\na,A fox,\nb,A boat,\n", TWO),
            ("unicode text.csv", "prompt,n\r\nA fox,1\r\n".encode("utf-16"), [{"prompt": "A fox", "n": "1"}]),
            ("joined.jsonl", '\ufeff{"prompt": "A fox"}\n\x1a\n', [{"prompt": "A fox"}]),
            ("spaces.csv", 'key, prompt\na, "A fox, red"\n', [{"key": "a", "prompt": "A fox, red"}]),
        ],
    )
    def test_is_read_as_it_was_meant(self, name, content, orders):
        assert read(name, content) == orders

    @pytest.mark.parametrize(
        ("name", "content", "words"),
        [
            ("a.csv", "prompt,model,duration\nA fox runs\nthrough snow,kling-2.6,5\n", "line 2: it has 1 of 3 cells"),
            ("a.csv", "prompt,model\nA fox, running,kling-2.6,\n", "line 2: it has 4 of 2 cells"),
            ("a.csv", "key,prompt,negative_prompt\na,red,green,\n", "line 2: it has 4 of 3 cells"),
            ("a.csv", "key,prompt,title,,\na,A fox,,,\nb,A boat,,\n", "line 3: it has 4 of 3 cells"),
            ("a.csv", "key,prompt,notes\na,A fox,\nb,A boat,ask Tom\n", "line 1: `notes` is not a field"),
            ("a.csv", "key,prompt\na,A fox\nb;A boat\n", "line 3: it has 1 of 2 cells"),
            ("a.csv", 'key,prompt\na,"A fox\nb,"A boat"\n', "line 2: a quotation mark"),
        ],
    )
    def test_is_refused_with_its_line(self, name, content, words):
        with pytest.raises(InputError, match=words):
            read(name, content)


REQUESTS = st.dictionaries(
    st.sampled_from(["prompt", "model", "duration", "elements"]),
    st.text(max_size=3) | st.integers(0, 3) | st.lists(st.integers(0, 1)),
)


class TestKeys:
    def test_the_column_names_the_request_and_is_no_part_of_it(self):
        assert keyed([{"key": "fox", "prompt": "A fox"}, {"key": 7, "prompt": "A hare"}]) == {
            "fox": {"prompt": "A fox"},
            "7": {"prompt": "A hare"},
        }

    def test_the_column_may_be_another(self):
        rows = [{"shot": "1a", "key": "enter"}]
        assert keyed(rows, key_column="shot") == {"1a": {"key": "enter"}}
        assert rows == [{"shot": "1a", "key": "enter"}]

    def test_a_file_may_have_another_column_for_its_keys(self):
        rows = read_rows(Memory("a.csv", "Shot ,prompt\n 1a ,A fox\n"), key_column="shot")
        assert keyed(rows, key_column="shot") == {"1a": {"prompt": "A fox"}}
        with pytest.raises(InputError, match="`Shot` is not a field"):
            read("a.csv", "Shot,prompt\n1a,A fox\n")

    @pytest.mark.parametrize("key", [True, ["a"], {"a": 1}])
    def test_what_is_no_text_or_number_is_no_key(self, key):
        with pytest.raises(InputError, match=r"row 1, column 'key': .* is no key"):
            keyed([{"key": key, "prompt": "A fox"}])

    def test_a_request_without_a_name_has_one_that_no_release_may_change(self):
        rows = [
            {"prompt": "狐", "duration": 5},
            {"key": "", "duration": 5, "prompt": "狐"},
            {"key": None, "prompt": "x"},
        ]
        assert list(keyed(rows)) == ["462a3ab23858", "462a3ab23858-2", "b2c6fa432c74"]

    @pytest.mark.parametrize("other", ["fox", "b2c6fa432c74"])
    def test_two_rows_of_one_name_are_told(self, other):
        rows = [{"prompt": "1"}, {"key": "fox"}, {"prompt": "2"}, {"prompt": "x"}, {"key": other}]
        first = {"fox": 2, "b2c6fa432c74": 4}[other]
        with pytest.raises(
            InputError, match=f"row {first} and row 5.*both have the key '{other}'.*its own value of 'key'"
        ):
            keyed(rows)

    @given(st.data())
    def test_the_order_changes_no_key(self, data):
        rows = data.draw(st.lists(REQUESTS))
        rows += [{"key": f"given {index}", **row} for index, row in enumerate(data.draw(st.lists(REQUESTS)))]
        requests = keyed(rows)
        shuffled = data.draw(st.permutations(rows))
        assert keyed(shuffled) == requests
        assert list(keyed(shuffled).values()) == [
            {name: value for name, value in row.items() if name != "key"} for row in shuffled
        ]

    @given(st.data())
    def test_an_edited_row_changes_its_own_key_only(self, data):
        rows = data.draw(st.lists(REQUESTS, min_size=1, unique_by=lambda row: json.dumps(row, sort_keys=True)))
        edited, request = data.draw(st.integers(0, len(rows) - 1)), data.draw(REQUESTS)
        assume(request not in rows)
        before, after = list(keyed(rows)), list(keyed([*rows[:edited], request, *rows[edited + 1 :]]))
        assert [index for index, key in enumerate(before) if after[index] != key] == [edited]
