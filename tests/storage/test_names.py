"""Different texts have different names, and no name from outside leads out of its folder."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from airflow_provider_klingvideo.storage.errors import UnsafeNameError
from airflow_provider_klingvideo.storage.names import (
    LONGEST_NAME,
    digest_of,
    file_of,
    folder_of,
    inside,
    is_safe_segment,
    job_id,
    old_name,
    safe_name,
)

# All characters, lone surrogates included, and texts that earlier versions took for the same.
TEXTS = st.one_of(
    st.text(st.characters(), max_size=150),
    st.text("ab._-~ /\\:+\0\ud800\udc00é", max_size=6),
    st.text("a.", min_size=LONGEST_NAME - 2, max_size=LONGEST_NAME + 3),
)
ODD = [
    "",
    ".",
    "..",
    "a/b",
    "../a",
    "/etc/passwd",
    "a\0",
    "\ud800",
    "fü",
    "a b",
    "A:",
    ".hidden",
    "a.",
    "~",
    "a~b",
]

REFUSED = [
    "",
    ".",
    "..",
    "/",
    "a/b",
    "../a",
    "a\\b",
    "..\\a",
    "/etc/passwd",
    "\\\\server\\share",
    "C:",
    "c:\\a",
    "C:a",
    "a\0b",
    "a\n",
    "\x7f",
    "\x85",
    "\u2028",
    "\ud800",
    "*",
    "a?versionId=1",
    "[a]",
    "a#1",
    "zip::a",
    "s3://b/a",
    "x" * 256,
    "é" * 128,
]


class TestSafeNames:
    @given(TEXTS, TEXTS)
    @example("a b", "a_b")
    @example("a b", "a:b")
    @example("", "_")
    @example("a" * 121, "a" * 122)
    @example("\ud83d\ude00", "😀")
    @example("a~" + digest_of("a b")[-2:], "a b")
    def test_different_texts_have_different_names(self, one, other):
        assume(one != other)
        assert safe_name(one) != safe_name(other)

    @given(TEXTS)
    def test_a_name_of_a_name_is_not_the_name_of_another_text(self, text):
        name = safe_name(text)
        assert name == text or safe_name(name) != name

    @given(TEXTS)
    def test_a_name_is_one_short_portable_segment(self, text):
        name = safe_name(text)
        assert re.fullmatch(r"[A-Za-z0-9._=@~-]+", name)
        assert 0 < len(name.encode()) <= LONGEST_NAME
        assert not name.startswith((".", "~"))
        assert is_safe_segment(name)
        assert Path("/base", name).parent == Path("/base")

    @pytest.mark.parametrize("text", ["a", "-a", "klingai_default", "dag.v2", "a=b@c-1", "_", "x" * LONGEST_NAME])
    def test_a_portable_text_is_its_own_name(self, text):
        assert safe_name(text) == text == old_name(text)

    @pytest.mark.parametrize("text", [*ODD, "x" * (LONGEST_NAME + 1)])
    def test_any_other_text_is_readable_and_has_a_digest(self, text):
        readable, mark, digest = safe_name(text).rpartition("~")
        assert mark == "~"
        assert re.fullmatch("[0-9a-f]{12}", digest)
        assert old_name(text).startswith(readable)
        assert readable

    def test_names_stay_what_they_are(self):
        """Folders are found by them: another digest would lose every record."""
        assert safe_name("manual__2026-01-01T00:00:00+00:00") == "manual__2026-01-01T00_00_00_00_00~1e8dc70c2b69"
        assert old_name("manual__2026-01-01T00:00:00+00:00") == "manual__2026-01-01T00_00_00_00_00"


class TestOldFolders:
    TEXT = "manual__2026-01-01T00:00:00+00:00"

    def test_a_new_folder_has_the_new_name(self, tmp_path):
        assert folder_of(tmp_path, self.TEXT) == tmp_path / safe_name(self.TEXT)

    def test_what_an_earlier_version_has_written_is_found(self, tmp_path):
        (tmp_path / old_name(self.TEXT)).mkdir()
        assert folder_of(tmp_path, self.TEXT) == tmp_path / old_name(self.TEXT)

    def test_the_new_folder_is_taken_where_there_are_both(self, tmp_path):
        (tmp_path / old_name(self.TEXT)).mkdir()
        (tmp_path / safe_name(self.TEXT)).mkdir()
        assert folder_of(tmp_path, self.TEXT) == tmp_path / safe_name(self.TEXT)

    def test_the_folder_of_another_text_is_not_taken(self, tmp_path):
        (tmp_path / "a_b").mkdir()
        (tmp_path / "a_b" / "whose").write_text("a:b")
        asked = []

        def belongs(folder):
            asked.append(folder)
            return (folder / "whose").read_text() == "a:b"

        assert folder_of(tmp_path, "a:b", belongs=belongs) == tmp_path / "a_b"
        assert folder_of(tmp_path, "a b", belongs=lambda _: False) == tmp_path / safe_name("a b")
        assert asked == [tmp_path / "a_b"]

    def test_a_portable_text_asks_nobody(self, tmp_path):
        class Silent(type(tmp_path)):
            def stat(self, **_):
                raise AssertionError("asked")

        assert folder_of(Silent(tmp_path), "dag").name == "dag"

    def test_files_are_found_as_well(self, tmp_path):
        assert file_of(tmp_path, "a b", ".rows.json").name == f"{safe_name('a b')}.rows.json"
        (tmp_path / "a_b.rows.json").write_text("[]")
        assert file_of(tmp_path, "a b", ".rows.json") == tmp_path / "a_b.rows.json"


class TestJobIds:
    PLACES = st.tuples(TEXTS, TEXTS, TEXTS, st.integers(-1, 3))

    def test_ids_on_record_stay_what_they_are(self):
        run = "manual__2026-01-01T00:00:00+00:00"
        assert job_id("dag", run, "video", 3) == "video-3-d7a313bc4a95"
        assert job_id("dag", run, "vidéo clip", -1) == "vid_o_clip-aa27fe906bf7"

    @given(st.lists(PLACES, unique=True, min_size=2, max_size=5))
    @example([("a\0b", "c", "d", -1), ("a", "b\0c", "d", -1)])
    @example([("a", "\ud83d\ude00", "d", -1), ("a", "😀", "d", -1)])
    def test_different_places_have_different_ids(self, places):
        assert len({job_id(*place) for place in places}) == len(places)

    @given(PLACES)
    def test_an_id_is_a_safe_name(self, place):
        assert is_safe_segment(job_id(*place))


class TestNamesFromOutside:
    @pytest.mark.parametrize("name", REFUSED)
    def test_what_could_lead_elsewhere_is_refused(self, tmp_path, name):
        assert not is_safe_segment(name)
        with pytest.raises(UnsafeNameError, match="cannot be the name of a file in") as told:
            inside(tmp_path, name)
        assert (told.value.kind, told.value.retryable) == ("storage", False)
        str(told.value).encode()

    @pytest.mark.parametrize(
        "name", ["a", "source.mp4", "Füchslein 狐.mp4", ".hidden", "a..b", "...", "~a", "-a", "a@3%2F"]
    )
    def test_a_plain_name_is_taken_as_it_is(self, tmp_path, name):
        assert inside(tmp_path, name) == tmp_path / name

    def test_nested_names_are_taken_where_they_are_expected(self, tmp_path):
        assert inside(tmp_path, "hls/720p/seg_1.m4s", nested=True) == tmp_path / "hls" / "720p" / "seg_1.m4s"
        with pytest.raises(UnsafeNameError):
            inside(tmp_path, "hls/seg_1.m4s")

    @pytest.mark.parametrize("name", ["/a", "a/", "a//b", "a/../b", "../a", "a/..", "./a", "", "/", "a/\0", "s3://b/a"])
    def test_nested_names_are_proved_one_by_one(self, tmp_path, name):
        with pytest.raises(UnsafeNameError):
            inside(tmp_path, name, nested=True)

    NAMES = st.one_of(
        st.text(st.characters(), max_size=40),
        st.lists(st.sampled_from(["..", ".", "/", "\\", "a", "~", "root", "C:", "\0", "::", "file://", "%2e%2e"])).map(
            "".join
        ),
    )

    @given(name=NAMES, nested=st.booleans())
    @example(name="~root", nested=False)
    @example(name="a/a", nested=True)
    def test_nothing_leaves_the_folder(self, name, nested):
        with tempfile.TemporaryDirectory() as outside:
            base = Path(outside, "base")
            try:
                path = inside(base, name, nested=nested)
            except UnsafeNameError:
                return
            assert str(path) == f"{base}/{name}"
            path.parent.mkdir(parents=True)
            path.write_bytes(b"x")
            assert base.resolve() in path.resolve().parents
            assert list(Path(outside).iterdir()) == [base]

    @pytest.mark.airflow
    @given(name=NAMES, nested=st.booleans())
    def test_nor_does_it_in_an_object_store_s_path(self, name, nested):
        from airflow.sdk import ObjectStoragePath

        for base in (ObjectStoragePath("memory://bucket/videos"), ObjectStoragePath("file:///srv/videos")):
            try:
                path = inside(base, name, nested=nested)
            except UnsafeNameError:
                continue
            assert path.path == f"{base.path}/{name}"
            assert path.protocol == base.protocol
