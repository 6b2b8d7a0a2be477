from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_klingvideo.media import VerificationError
from airflow_provider_klingvideo.media.inspect.boxes import MAX_BOXES, Boxes, read_boxes, walk_boxes
from airflow_provider_klingvideo.media.inspect.tracks import OPENINGS
from airflow_provider_klingvideo.storage.errors import StorageError


def box(kind: bytes, payload: bytes = b"") -> bytes:
    return struct.pack(">I4s", 8 + len(payload), kind) + payload


WHOLE = box(b"ftyp", b"isom") + box(b"moov", b"12345") + box(b"mdat", b"pictures")


def read(data: bytes) -> Boxes:
    return read_boxes(io.BytesIO(data))


@pytest.mark.parametrize(("name", "faststart"), [("plain", True), ("moov_last", False)])
def test_tells_whether_a_clip_starts_fast(clips: Callable[[str], Path], name: str, faststart: bool) -> None:
    boxes = walk_boxes(clips(name))
    assert boxes.faststart is faststart
    assert boxes.size == clips(name).stat().st_size


@pytest.mark.parametrize("name", ["plain", "moov_last"])
def test_every_truncation_is_noticed(clips: Callable[[str], Path], name: str) -> None:
    whole = clips(name).read_bytes()
    for length in [*range(60), *range(60, len(whole), len(whole) // 200), len(whole) - 1]:
        with pytest.raises(VerificationError):
            read(whole[:length])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"<html>no</html>", "<html>no"),
        (b"ffconcat version 1.0\nfile /etc/passwd", "ffconcat"),
        (b"#EXTM3U\n#EXT-X-VERSION:3", "EXTM3U"),
        (bytes(100), "no MP4"),
        (b"\x00\x00\x00\x08ftyp", "no moov and no mdat"),
        (WHOLE + b"\x00\x00", "2 bytes are left over"),
        (WHOLE + struct.pack(">I4s", 7, b"free"), "claims 7 bytes"),
        (WHOLE + struct.pack(">I4sQ", 1, b"free", 15), "claims 15 bytes"),
        (WHOLE + struct.pack(">I4sI", 1, b"free", 0), "truncated"),
        (WHOLE + box(b"free") * MAX_BOXES, "more than"),
    ],
)
def test_says_what_is_wrong(data: bytes, words: str) -> None:
    with pytest.raises(VerificationError, match=words):
        read(data)


def test_reads_large_boxes_and_a_last_box_without_length() -> None:
    large = struct.pack(">I4sQ", 1, b"mdat", 20) + b"four"
    endless = struct.pack(">I4s", 0, b"free") + b"whatever"
    data = box(b"ftyp", b"isom") + box(b"moov") + large + endless
    assert read(data) == Boxes(("ftyp", "moov", "mdat", "free"), len(data))


def test_shows_no_query_string_of_what_came_instead() -> None:
    with pytest.raises(VerificationError) as caught:
        read(b'<a href="https://cdn.example/v.mp4?Signature=s3cret">moved</a>')
    assert "s3cret" not in str(caught.value)


def test_missing_file_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"nothing\.mp4"):
        walk_boxes(tmp_path / "nothing.mp4")


pieces = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.builds(box, st.sampled_from([b"ftyp", b"moov", b"mdat", b"free"]), st.binary(max_size=20)),
        st.builds(struct.pack, st.just(">I4sQ"), st.just(1), st.just(b"mdat"), st.integers(0, 2**64 - 1)),
    ),
    max_size=8,
)


@given(pieces.map(b"".join))
def test_any_bytes_are_told_or_refused(data: bytes) -> None:
    try:
        boxes = read(data)
    except VerificationError:
        return
    assert boxes.size == len(data)
    assert boxes.types[0].encode() in OPENINGS
    assert {"moov", "mdat"} <= set(boxes.types)


@given(st.lists(st.sampled_from([b"free", b"moov", b"mdat", b"moof"]), max_size=20), st.integers(1, 30))
def test_whole_files_pass_and_lose_nothing(kinds: list[bytes], lost: int) -> None:
    data = WHOLE + b"".join(box(kind, b"x" * 23) for kind in kinds)
    assert read(data).types == ("ftyp", "moov", "mdat", *(kind.decode() for kind in kinds))
    with pytest.raises(VerificationError):
        read(data[: -min(lost, 15)])
