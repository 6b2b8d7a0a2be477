"""Rows of a batch: read from every format or refused with every fault named; keys that stay."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal

import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from airflow_provider_klingvideo.workflow.errors import InputError
from airflow_provider_klingvideo.workflow.row_book import RowBook
from airflow_provider_klingvideo.workflow.rows import keyed, read_rows

CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r\n"), min_size=1).filter(str.strip)
REQUESTS = st.lists(
    st.fixed_dictionaries({"prompt": CELLS}, optional={"model": CELLS, "negative_prompt": CELLS}),
    min_size=1,
    max_size=8,
)


@pytest.fixture
def file(tmp_path):
    def write(content, name):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def table(rows):
    columns = dict.fromkeys(column for row in rows for column in row)
    sink = pyarrow.BufferOutputStream()
    parquet.write_table(pyarrow.table({column: [row.get(column) for row in rows] for column in columns}), sink)
    return sink.getvalue().to_pybytes()


class TestFormats:
    def test_csv(self, file):
        text = '\ufeffprompt,duration,model\nA fox,5,\n"A hare,\nrunning",10,kling-2.6\n,,\n'
        assert read_rows(file(text, "rows.CSV")) == [
            {"prompt": "A fox", "duration": "5"},
            {"prompt": "A hare,\nrunning", "duration": "10", "model": "kling-2.6"},
        ]

    def test_jsonl(self, file):
        text = '{"prompt": "A fox", "model": null}\n\n{"prompt": "狐", "duration": 5}\n'
        assert read_rows(file(text, "rows.jsonl")) == [{"prompt": "A fox"}, {"prompt": "狐", "duration": 5}]

    def test_json(self, file):
        assert read_rows(file('[{"prompt": "A fox", "model": ""}]', "rows.json")) == [{"prompt": "A fox"}]

    def test_parquet(self, file):
        rows = [
            {"prompt": "A fox", "duration": 5, "day": date(2026, 1, 2), "strength": Decimal("0.5")},
            {"prompt": "A hare", "duration": None, "day": None, "strength": None},
        ]
        assert read_rows(file(table(rows), "rows.parquet")) == [
            {"prompt": "A fox", "duration": 5, "day": "2026-01-02", "strength": "0.5"},
            {"prompt": "A hare"},
        ]

    @pytest.mark.parametrize(
        ("content", "name", "words"),
        [
            ("x", "rows.xlsx", "format 'xlsx' is unknown; it is one of csv, jsonl, json, parquet"),
            ("", "rows.csv", "has no requests"),
            ("prompt\n", "rows.csv", "has no requests"),
            ("prompt\na,b\n", "rows.csv", "line 2 has more cells"),
            ('prompt\n"a"b\n', "rows.csv", "line 2 is no CSV"),
            (b"prompt\n\xff\n", "rows.csv", "is not UTF-8"),
            ('{"a": 1}\n[1]\n{\n', "rows.jsonl", "line 2 is no JSON object; line 3 is no JSON"),
            ("[\n{", "rows.json", "line 2 is no JSON"),
            ('{"prompt": "A fox"}', "rows.json", "is no list of objects"),
            ('[{"prompt": "A fox"}, 5]', "rows.json", "item 2 is no object"),
            ("PAR1", "rows.parquet", "is no Parquet"),
        ],
    )
    def test_every_fault_is_named(self, file, content, name, words):
        with pytest.raises(InputError, match=words):
            read_rows(file(content, name))

    def test_a_missing_file_is_told(self, tmp_path):
        with pytest.raises(InputError, match=r"rows.csv does not exist"):
            read_rows(tmp_path / "rows.csv")

    @given(st.binary(), st.sampled_from(["a.csv", "a.jsonl", "a.json", "a.parquet"]))
    def test_any_bytes_are_requests_or_a_clear_error(self, tmp_path_factory, content, name):
        path = tmp_path_factory.mktemp("rows") / name
        path.write_bytes(content)
        try:
            rows = read_rows(path)
        except InputError:
            return
        assert rows
        assert all(isinstance(row, dict) for row in rows)

    @given(REQUESTS)
    def test_all_formats_say_the_same(self, tmp_path_factory, rows):
        folder = tmp_path_factory.mktemp("rows")
        (folder / "a.json").write_text(json.dumps(rows))
        (folder / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
        (folder / "a.parquet").write_bytes(table(rows))
        assert all(read_rows(folder / f"a.{suffix}") == rows for suffix in ("json", "jsonl", "parquet"))


class TestKeys:
    def test_a_named_key_is_taken_and_is_no_part_of_the_request(self):
        assert keyed([{"key": "fox", "prompt": "A fox"}, {"key": 7, "prompt": "A hare"}]) == {
            "fox": {"prompt": "A fox"},
            "7": {"prompt": "A hare"},
        }

    def test_rows_with_the_same_key_are_named(self):
        with pytest.raises(InputError, match="rows 1 and 3 have the key 'fox'"):
            keyed([{"key": "fox", "prompt": "A"}, {"key": "hare", "prompt": "B"}, {"key": "fox", "prompt": "C"}])

    def test_equal_rows_are_a_video_each(self):
        first, second = keyed([{"prompt": "A fox"}, {"prompt": "A fox"}])
        assert second == f"{first}-2"

    @given(REQUESTS, st.randoms())
    def test_the_order_of_rows_changes_no_key(self, rows, random):
        shuffled = list(rows)
        random.shuffle(shuffled)
        assert keyed(shuffled) == keyed(rows)

    @given(REQUESTS)
    def test_an_edited_row_is_another_row_and_no_other_key_changes(self, rows):
        edited = [{**rows[0], "prompt": f"{rows[0]['prompt']} edited in no other row {len(rows)}"}, *rows[1:]]
        # Of equal rows the last number goes, whichever was edited.
        assert len(keyed(rows).keys() - keyed(edited).keys()) == 1


class TestTheBook:
    def test_it_is_read_as_it_was_written(self, tmp_path):
        book = RowBook(tmp_path / "dag" / "batch", "videos")
        written = book.write({"fox": {"prompt": "A fox"}, "../hare": {"prompt": "A hare"}})
        assert book.read() == written
        assert [row.key for row in written] == ["fox", "../hare"]
        assert all("/" not in row.job_id for row in written)

    def test_a_job_is_named_by_batch_and_key_alone(self, tmp_path):
        rows = {"fox": {"prompt": "A fox"}, "hare": {"prompt": "A hare"}}
        book = RowBook(tmp_path / "dag" / "batch", "videos")
        before = {row.key: row.job_id for row in book.write(rows)}
        after = {row.key: row.job_id for row in book.write({"owl": {}, "hare": {"prompt": "Another"}, "fox": {}})}
        assert {key: after[key] for key in before} == before
        others = (RowBook(tmp_path / "dag" / "other", "videos"), RowBook(tmp_path / "a" / "batch", "videos"))
        assert not {row.job_id for book in others for row in book.write(rows)} & set(before.values())

    def test_rows_that_were_not_read_are_told(self, tmp_path):
        with pytest.raises(InputError, match="have not been read"):
            RowBook(tmp_path, "videos").read()
