"""What a text names: every way to write the same file leads to it, and what leads nowhere is refused in words."""

from __future__ import annotations

import base64
import os
import struct
import tempfile
import unicodedata
import zlib
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_klingvideo._text import trimmed, unquoted
from airflow_provider_klingvideo.kling import ApiFamily, parse_request
from airflow_provider_klingvideo.media import MediaSettings, RenderPlan
from airflow_provider_klingvideo.media.decor.proving import Tools
from airflow_provider_klingvideo.media.film.materials import Materials, uses_in
from airflow_provider_klingvideo.runtime.paths import open_path
from airflow_provider_klingvideo.runtime.session import Session
from airflow_provider_klingvideo.storage.addresses import (
    AddressError,
    AddressKind,
    is_content,
    is_web,
    read_address,
    web_address,
)
from airflow_provider_klingvideo.workflow import JobStore
from airflow_provider_klingvideo.workflow.films import clips_of
from airflow_provider_klingvideo.workflow.inputs.reader import InputReader

ODD_NAMES = [
    *("p.csv", "my shots.csv", "100%.csv", "a%20b", "50%25off", "%zz", "a#b", "a#", "a?b", "a?", "a&b=c", "a+b", "a@b"),
    *(
        "a:b",
        "ftp:x",
        "a::b",
        "a;b",
        "~x",
        "a[b]",
        "a*b",
        "a|b",
        "a\\b",
        "$HOME",
        "{x}",
        " lead",
        "trail ",
        "'q'",
        '"q"',
    ),
    *("'a' 'b'", "a\nb", "a\tb", "\u00fcber.csv", "u\u0308ber.csv", "\u732b.csv", "\U0001f469\u200d\U0001f680.csv"),
]
BLANKS = st.text(" \t\r\n\u00a0\u200b\ufeff", max_size=2)
NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/"), min_size=1, max_size=20).filter(
    lambda name: name not in {".", ".."} and len(name.encode()) < 200
)


def png(side=400):
    """A header that says how large the picture is, which is all that is read of it."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))


@contextmanager
def folder_with(name):
    """A folder with one file of a name, in which this process stands."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder).resolve() / name
        path.write_bytes(name.encode())
        os.chdir(folder)
        try:
            yield path
        finally:
            os.chdir(before)


def ways(path):
    """Every way to write a path that exists."""
    plain = str(path)
    yield from (plain, path.name, f"./{path.name}", f"{path.parent}//{path.name}", f"{path.parent}/./{path.name}")
    bare = plain.lstrip("/")
    for scheme in ("file:", "FILE:", "File:", "local:"):
        yield from (f"{scheme}{'/' * slashes}{bare}" for slashes in (1, 2, 3))
    yield path.as_uri()
    yield path.as_uri().replace("file://", "file://localhost")
    yield from (f"{quote}{plain}{quote}" for quote in "\"'" if quote not in plain)
    yield f"  {plain}\n" if plain == trimmed(plain) else plain


@settings(max_examples=300)
@given(NAMES)
def test_every_way_to_write_a_file_reads_it_whatever_its_name(name):
    with folder_with(name) as path:
        for way in ways(path):
            if way != path.name or not read_as_an_address(name):
                assert open_path(way).read_bytes() == name.encode(), way


def read_as_an_address(name):
    """Whether a name without a folder before it means nothing, a scheme, a home or a path of Windows."""
    text = unquoted(trimmed(name))
    scheme, colon, _ = text.partition(":")
    return not text or text.startswith(("~", "\\\\")) or (bool(colon) and scheme.lower() in {"file", "local", "data"})


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names(name):
    with folder_with(name) as path:
        for way in ways(path):
            if way != path.name or not read_as_an_address(name):
                assert open_path(way).read_bytes() == name.encode(), way
        # What is on record of a file leads to it again.
        for way in (str(path), f"file://{path}"):
            assert open_path(str(open_path(way))).read_bytes() == name.encode()


@pytest.mark.parametrize("written", ["NFC", "NFD"])
@pytest.mark.parametrize("on_disk", ["NFC", "NFD"])
def test_umlauts_are_found_however_they_are_composed(tmp_path, written, on_disk):
    path = tmp_path / unicodedata.normalize(on_disk, "F\u00fcchse") / unicodedata.normalize(on_disk, "sch\u00f6n.png")
    path.parent.mkdir()
    path.write_bytes(b"fox")
    text = unicodedata.normalize(written, str(path))
    for way in (text, f"file://{text}", Path(text).as_uri()):
        assert open_path(way).read_bytes() == b"fox"


def test_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a b.csv").write_bytes(b"fox")
    for way in ("~/a b.csv", " ~/a b.csv ", '"~/a b.csv"', "file://~/a b.csv", "FILE://~/a%20b.csv"):
        assert open_path(way).read_bytes() == b"fox", way


@settings(max_examples=100)
@given(NAMES.filter(lambda name: name == unquoted(trimmed(name)) and not read_as_an_address(name)), BLANKS, BLANKS)
def test_what_is_not_there_yet_is_made_where_it_is_read(name, before, behind):
    with folder_with("other") as other:
        folder = f"{before}{other.parent}/{name}/videos{behind}"
        open_path(folder).mkdir(parents=True)
        assert [one.name for one in (other.parent / name).iterdir()] == ["videos"]


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("S3://Bucket/Key", "s3://Bucket/Key"),
        (" s3://c@bucket/a%20b \n", "s3://c@bucket/a%20b"),
        ('"GS://b/a b"', "gs://b/a b"),
    ],
)
def test_stores_keep_their_keys_letter_by_letter(given, text):
    address = read_address(given)
    assert (address.kind, address.text) == (AddressKind.STORE, text)


@pytest.mark.parametrize(
    "given", ["HTTP://h/a.png", " https://h/a.png\n", "'https://h/a.png'", "\u200bHttps://h/a.png"]
)
def test_web_addresses(given):
    address = read_address(given)
    assert is_web(given)
    assert (address.kind, address.text.partition(":")[0]) == (AddressKind.WEB, address.text.partition(":")[0].lower())
    assert address.text.endswith("://h/a.png")


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("https://h/a.png?X=%2f'&y=[1]#z", "https://h/a.png?X=%2f'&y=[1]#z"),
        ("https://h/my pic.png?s=a b", "https://h/my%20pic.png?s=a%20b"),
        ("https://h/\u00fc.png", "https://h/%C3%BC.png"),
        ("https://b\u00fccher.example/a", "https://xn--bcher-kva.example/a"),
    ],
)
def test_web_addresses_are_sent_byte_for_byte_but_for_what_no_address_holds(given, sent):
    assert web_address(given) == sent


@pytest.mark.parametrize("given", ["data:image/png;base64,AAAA", "DATA:image/png;base64,AAAA", "A" * 2000])
def test_a_file_itself_is_no_path(given):
    assert is_content(given)
    with pytest.raises(AddressError, match="is a file itself"):
        open_path(given)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("", "names no file"),
        (" \n", "names no file"),
        ("''", "names no file"),
        ("C:\\shots\\p.csv", "path of Windows"),
        ("c:/shots/p.csv", "path of Windows"),
        ("\\\\server\\share\\p.csv", "path of Windows"),
        ("s3:/bucket/p.csv", "one slash behind its scheme .legal: s3://bucket/p.csv"),
        ("https:/h/p.png", "one slash behind its scheme"),
    ],
)
def test_what_leads_nowhere_is_refused_in_words(given, words):
    with pytest.raises(AddressError, match=words) as caught:
        open_path(given)
    assert (bool(caught.value.faults), bool(caught.value.advice), caught.value.retryable) == (True, True, False)


@pytest.mark.parametrize("bad", ["https://h/a\nb", "https://h/a\x00b"])
def test_a_web_address_on_two_lines_is_refused(bad):
    with pytest.raises(AddressError, match="line break"):
        web_address(bad)


WAYS = ["{}", " {} \n", "'{}'", '"{}"', "file://{}", "FILE:{}", "file:/{}"]


@pytest.mark.parametrize("way", WAYS)
class TestOneDoorForAll:
    """Requests, clips and plans read a file by the same door."""

    @pytest.fixture
    def file(self, tmp_path):
        path = tmp_path / "my 100% #1" / "a b.png"
        path.parent.mkdir()
        path.write_bytes(png())
        return path

    def test_requests(self, file, way):
        request = parse_request({"first_frame": way.format(file), "model": "kling-3.0"})
        read = InputReader(open_path, JobStore, lambda job: "").read(request, ApiFamily.NEW)
        assert base64.b64decode(read.request.first_frame) == file.read_bytes()
        assert (
            read.identity
            == InputReader(open_path, JobStore, lambda job: "")
            .read(parse_request({"first_frame": str(file), "model": "kling-3.0"}), ApiFamily.NEW)
            .identity
        )

    def test_clips(self, file, way):
        (clip,) = clips_of([way.format(file)], open_path)
        assert clip.path.read_bytes() == file.read_bytes()

    def test_plans(self, file, way, tmp_path):
        name = way.format(file)
        plan = RenderPlan.parse({"outputs": [{"preset": "web", "logo": name}]})
        # Without ffmpeg, which would miss what follows the header.
        materials = Materials(uses_in(plan), open_path, tmp_path, Tools(None, MediaSettings()))
        assert [materials.fault(output) for output in plan.outputs] == [None]

    def test_output_paths(self, file, way):
        assert (Session(output_path=way.format(file.parent)).output / file.name).read_bytes() == file.read_bytes()
