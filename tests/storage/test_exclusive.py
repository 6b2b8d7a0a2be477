"""Of many writers exactly one creates a file, where the store has proved that it can."""

from __future__ import annotations

import errno
import logging
import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from s3_storage import requests_of

from airflow_provider_klingvideo.storage import exclusive
from airflow_provider_klingvideo.storage.errors import ExclusiveCreationError
from airflow_provider_klingvideo.storage.exclusive import create, is_proved
from airflow_provider_klingvideo.storage.listing import entries

pytestmark = pytest.mark.airflow

RACERS = 16
ABLE = ["disk", "file", "seaweed"]


@pytest.fixture(autouse=True)
def nothing_proved(monkeypatch):
    monkeypatch.setattr(exclusive, "_proved", {})


@pytest.mark.parametrize("store", ABLE)
def test_of_sixteen_racers_exactly_one_wins_and_its_content_stays(folder_in, store):
    folder = folder_in(store)
    for number in range(5):
        path = folder / f"{number}.json"
        with ThreadPoolExecutor(RACERS) as pool:
            won = list(pool.map(lambda racer, path=path: create(path, f"{racer}".encode()), range(RACERS)))
        assert won.count(True) == 1
        assert path.read_bytes() == f"{won.index(True)}".encode()
    assert len(entries(folder)) == 5, "no part is left"


@pytest.mark.parametrize("store", ABLE)
def test_these_stores_are_proved_once_and_the_probe_is_removed(folder_in, store, monkeypatch):
    folder = folder_in(store)
    assert is_proved(folder)
    monkeypatch.setattr(exclusive, "_prove", lambda _: pytest.fail("proved again"))
    assert is_proved(folder / "deeper")
    assert entries(folder) == []


def test_a_server_that_ignores_the_condition_is_found_out_and_told_once(folder_in, caplog):
    folder = folder_in("rclone")
    with caplog.at_level(logging.WARNING):
        assert [is_proved(folder), is_proved(folder / "deeper")] == [False, False]
    (told,) = [one.getMessage() for one in caplog.records if one.name == exclusive.__name__]
    assert "does not create a file only if it is absent" in told
    assert str(folder) in told
    assert entries(folder) == []


def test_a_store_of_which_nothing_is_known_is_not_relied_upon(unknown_folder):
    folder = unknown_folder
    assert not is_proved(folder)
    assert entries(folder) == []
    assert [create(folder / "a", b"first"), create(folder / "a", b"second")] == [True, False]
    assert (folder / "a").read_bytes() == b"first"


def test_nor_is_a_path_of_another_kind(folder_in):
    folder = folder_in("plain")
    assert not is_proved(folder)
    assert [create(folder / "a", b"first"), create(folder / "a", b"second")] == [True, False]


def test_a_lost_answer_of_the_probe_speaks_for_the_store(folder_in, monkeypatch):
    send = exclusive.create
    lost = [True]

    def create_twice_at_first(path, content):
        if lost and lost.pop():
            send(path, content)
        return send(path, content)

    monkeypatch.setattr(exclusive, "create", create_twice_at_first)
    assert is_proved(folder_in("seaweed"))


def test_a_creation_is_one_request(folder_in):
    folder = folder_in("seaweed")
    for created in (True, False):
        with requests_of(folder) as sent:
            assert create(folder / "a", b"1") is created
        assert [one.split()[0] for one in sent] == ["PUT"]


def test_a_store_that_cannot_be_asked_has_proved_nothing(seaweed_bucket):
    from airflow_provider_klingvideo.runtime.paths import open_path

    nowhere = open_path(f"s3://{seaweed_bucket.connection}@No_Bucket/videos")
    with pytest.raises(OSError, match="bucket"):
        is_proved(nowhere)
    assert exclusive._proved == {}


class TestOnADisk:
    def refuse(self, monkeypatch, error):
        def link(source, target):
            raise OSError(error, os.strerror(error))

        monkeypatch.setattr(os, "link", link)

    def test_without_hard_links_nothing_is_created_and_nothing_proved(self, tmp_path, monkeypatch):
        self.refuse(monkeypatch, errno.EPERM)
        with pytest.raises(ExclusiveCreationError, match="no hard links"):
            create(tmp_path / "a", b"1")
        assert not is_proved(tmp_path)
        assert list(tmp_path.iterdir()) == []

    def test_a_full_disk_is_no_disk_without_links(self, tmp_path, monkeypatch):
        self.refuse(monkeypatch, errno.ENOSPC)
        with pytest.raises(OSError, match="No space"):
            is_proved(tmp_path)
        assert exclusive._proved == {}
        assert list(tmp_path.iterdir()) == []

    def test_a_link_whose_answer_was_lost_is_this_call_s_own(self, tmp_path, monkeypatch):
        link = os.link

        def twice(source, target):
            link(source, target)
            link(source, target)

        monkeypatch.setattr(os, "link", twice)
        assert create(tmp_path / "a", b"1")
        assert not create(tmp_path / "a", b"2")
        assert [one.name for one in tmp_path.iterdir()] == ["a"]


class TestConflicts:
    """S3 answers HTTP 409 to a creation that met another one on its way, and asks to send it again."""

    class Store:
        def __init__(self, *codes):
            self.codes = list(codes)

        def pipe_file(self, key, content, mode):
            if code := self.codes.pop(0):
                error = OSError(errno.EIO, code)
                error.__cause__ = type("Answer", (Exception,), {"response": {"Error": {"Code": code}}})()
                raise error

    @pytest.fixture(autouse=True)
    def no_pause(self, monkeypatch):
        monkeypatch.setattr(exclusive, "PAUSE_SECONDS", 0)

    def put(self, *codes):
        from airflow_provider_klingvideo.storage.stores import StoredObject

        return exclusive._put(StoredObject(self.Store(*codes), "b/a"), b"1")

    @pytest.mark.parametrize(("last", "created"), [(None, True), ("PreconditionFailed", False)])
    def test_it_is_sent_again(self, last, created):
        assert self.put("ConditionalRequestConflict", last) is created

    @pytest.mark.parametrize("codes", [["AccessDenied"], ["ConditionalRequestConflict"] * exclusive.ATTEMPTS])
    def test_what_stays_refused_is_told(self, codes):
        with pytest.raises(OSError, match=codes[-1]):
            self.put(*codes)
