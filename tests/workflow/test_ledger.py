"""A ledger: one winner for every number, nothing lost, whoever is slow, dies, tidies, or leaves other files there."""

from __future__ import annotations

import json
import os
import tempfile
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from racing import DIED, STEPS, Turns, die_now_and_then, run_processes, said, say

from airflow_provider_klingvideo.errors import Money
from airflow_provider_klingvideo.workflow.gates.ledger import ledger as ledger_module
from airflow_provider_klingvideo.workflow.gates.ledger.ledger import BusyLedgerError, Ledger, Page


class Names:
    """A fold that keeps words in the order in which they were entered."""

    empty = ()

    def apply(self, state, number, changes):
        return (*state, *(word.lower() for word in changes))

    def dump(self, state):
        return list(state)

    def load(self, stored):
        return tuple(word.lower() for word in stored)


def ledger_of(folder):
    return Ledger(folder, Names())


def enter(ledger, word):
    """Enter a word unless it is there: what is decided may be decided twice."""
    return ledger.append(lambda page: [] if word in page.state else [word])


def enter_most(ledger, word, most):
    """Enter a word unless there are so many already; return whether it is there."""
    page = ledger.append(lambda page: [] if word in page.state or len(page.state) >= most else [word])
    return word in page.state


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def small(monkeypatch):
    """A ledger that tidies early, and whose entries do not carry the whole state."""

    def set_small(**values):
        usual = {"KEEP": 8, "KEEP_SECONDS": 0.0, "TIDY_EVERY": 4, "CHECKPOINT_EVERY": 5, "WHOLE_BYTES": 0}
        for name, value in {**usual, **values}.items():
            monkeypatch.setattr(ledger_module, name, value)

    return set_small


class TestOneAfterAnother:
    def test_what_one_enters_another_reads(self, tmp_path):
        enter(ledger_of(tmp_path / "new"), "a")
        enter(ledger_of(tmp_path / "new"), "b")
        page = ledger_of(tmp_path / "new").look()
        assert (page.number, page.state) == (2, ("a", "b"))
        assert names(tmp_path / "new") == ["000001.json", "000002.json"]

    def test_an_empty_ledger_is_read_without_a_trace(self, tmp_path):
        page = ledger_of(tmp_path / "none").look()
        assert (page.number, page.state) == (0, ())
        assert not (tmp_path / "none").exists()

    def test_nothing_is_entered_when_nothing_is_to_be_said(self, tmp_path):
        enter(ledger_of(tmp_path), "a")
        assert enter(ledger_of(tmp_path), "a").number == 1

    def test_who_is_overtaken_decides_again_in_full_knowledge(self, tmp_path):
        slow, seen = ledger_of(tmp_path), []

        def decide(page):
            seen.append(page.state)
            if len(seen) == 1:
                enter(ledger_of(tmp_path), "quick")
            return ["slow"]

        assert slow.append(decide).state == ("quick", "slow")
        assert seen == [(), ("quick",)]

    def test_who_is_overtaken_for_ever_gives_up_with_an_error(self, tmp_path, monkeypatch):
        monkeypatch.setattr(ledger_module, "create", lambda path, content: False)
        monkeypatch.setattr(ledger_module, "LONGEST_PAUSE", 0)
        with pytest.raises(BusyLedgerError, match="by others 100 times") as raised:
            enter(ledger_of(tmp_path), "a")
        assert isinstance(raised.value, OSError)
        assert (raised.value.retryable, raised.value.money) == (True, Money.NONE)


class TestRaces:
    @pytest.mark.parametrize("workers", [2, 20])
    def test_of_all_processes_nothing_is_lost_and_nothing_doubled(self, tmp_path, workers):
        def work(worker):
            ledger = ledger_of(tmp_path)
            for count in range(3):
                enter(ledger, f"w{worker}-{count}")

        codes = run_processes(partial(work, worker) for worker in range(workers))
        assert set(codes) == {0}
        page = ledger_of(tmp_path).look()
        assert sorted(page.state) == sorted(f"w{worker}-{count}" for worker in range(workers) for count in range(3))
        assert page.number == workers * 3

    def test_processes_that_die_anywhere_take_nothing_with_them(self, tmp_path, small):
        # Entries are removed at once here, so that every writer has to make sure that its own one counts.
        small(SLOW_SECONDS=-1.0)
        folder, noted = tmp_path / "ledger", tmp_path / "entered"

        def work(worker):
            die_now_and_then(worker, 0.03)
            ledger = ledger_of(folder)
            for count in range(12):
                enter(ledger, f"w{worker}-{count}")
                say(noted, f"w{worker}-{count}")

        codes = run_processes(partial(work, worker) for worker in range(16))
        assert DIED in codes
        page = ledger_of(folder).look()
        assert set(said(noted)) <= set(page.state)
        assert len(set(page.state)) == len(page.state)
        assert enter(ledger_of(folder), "later").state == (*page.state, "later")

    @settings(max_examples=100)
    @given(
        workers=st.integers(2, 4),
        most=st.integers(1, 9),
        whole=st.booleans(),
        schedule=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 60)), max_size=30),
    )
    def test_in_no_order_of_steps_is_anything_lost_or_a_limit_exceeded(self, workers, most, whole, schedule):
        """Every look, read, creation and removal may be held up for as long as the others need, or be the last."""
        turns = Turns()
        changed = {
            "KEEP": 3,
            "KEEP_SECONDS": 0.0,
            "TIDY_EVERY": 1,
            "CHECKPOINT_EVERY": 2,
            "WHOLE_BYTES": 10**6 if whole else 0,
            "SLOW_SECONDS": -1.0,
            "LONGEST_PAUSE": 0.0,
            **{name: turns.stepped(step) for name, step in STEPS.items()},
        }
        with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as name:
            for attribute, value in changed.items():
                patch.setattr(ledger_module, attribute, value)

            def work(worker):
                ledger = ledger_of(Path(name))
                return [enter_most(ledger, f"w{worker}-{count}", most) for count in range(4)]

            entered = turns.run([partial(work, worker) for worker in range(workers)], schedule)
            state = ledger_of(Path(name)).look().state
        assert len(state) <= most
        assert len(set(state)) == len(state)
        for worker, words in enumerate(entered):
            for count, is_in in enumerate(words or ()):
                assert (f"w{worker}-{count}" in state) == is_in
        if None not in entered:
            assert len(state) == min(most, workers * 4)


class TestTidying:
    @pytest.mark.parametrize("whole", [0, 10**6])
    def test_a_ledger_stays_small_and_says_all(self, tmp_path, small, whole):
        small(WHOLE_BYTES=whole)
        ledger = ledger_of(tmp_path)
        for count in range(100):
            enter(ledger, f"{count}")
        assert len(names(tmp_path)) <= 8 + 4 + 1
        assert ledger_of(tmp_path).look().state == tuple(f"{count}" for count in range(100))

    def test_what_is_young_stays(self, tmp_path, small):
        small(KEEP_SECONDS=60.0)
        for count in range(30):
            enter(ledger_of(tmp_path), f"{count}")
        assert len(names(tmp_path)) == 30

    def test_a_large_state_is_not_written_with_every_entry(self, tmp_path, small):
        small(WHOLE_BYTES=200)
        ledger = ledger_of(tmp_path)
        for count in range(40):
            enter(ledger, f"a-rather-long-word-{count}")
        newest = [json.loads((tmp_path / f"0000{number}.json").read_bytes()) for number in range(36, 41)]
        assert sum("state" in one for one in newest) == 1

    def test_a_slow_reader_starts_over_when_what_it_was_about_to_read_is_gone(self, tmp_path, small, monkeypatch):
        small()
        for count in range(9):
            enter(ledger_of(tmp_path), f"{count}")
        read, was_slow = ledger_module.read_whole, []

        def slow(path):
            if not was_slow:
                was_slow.append(path)
                for count in range(9, 60):
                    enter(ledger_of(tmp_path), f"{count}")
            return read(path)

        monkeypatch.setattr(ledger_module, "read_whole", slow)
        assert ledger_of(tmp_path).look().state == tuple(f"{count}" for count in range(60))
        assert not was_slow[0].exists()

    def test_a_gap_that_stays_is_told_and_passed_over(self, tmp_path, small, caplog):
        small(KEEP=50)
        for count in range(9):
            enter(ledger_of(tmp_path), f"{count}")
        (tmp_path / "000008.json").unlink()
        assert enter(ledger_of(tmp_path), "later").state == (*"012345", "6", "8", "later")
        assert "are missing" in caplog.text

    def test_a_listing_that_misses_an_entry_is_made_again(self, tmp_path, small, monkeypatch):
        """A folder is not listed in one moment: of two new entries the later one may be seen alone."""
        small(KEEP=50)
        for count in range(9):
            enter(ledger_of(tmp_path), f"{count}")
        entries, missing = ledger_module.entries, ["000008.json"]

        def listed(folder):
            missed = missing.pop() if missing else None
            return [one for one in entries(folder) if one.name != missed]

        monkeypatch.setattr(ledger_module, "entries", listed)
        assert ledger_of(tmp_path).look().state == tuple("012345678")

    def test_an_entry_that_a_store_hides_is_never_passed_over(self, tmp_path, monkeypatch):
        for word in "ab":
            enter(ledger_of(tmp_path), word)
        entries, read, hidden = ledger_module.entries, ledger_module.read_whole, "000002.json"

        def not_found(path):
            if path.name == hidden:
                raise FileNotFoundError(path)
            return read(path)

        monkeypatch.setattr(ledger_module, "LONGEST_PAUSE", 0)
        monkeypatch.setattr(ledger_module, "entries", lambda folder: [e for e in entries(folder) if e.name != hidden])
        monkeypatch.setattr(ledger_module, "read_whole", not_found)
        with pytest.raises(BusyLedgerError):
            enter(ledger_of(tmp_path), "c")

    def test_two_that_tidy_at_once_do_not_hinder_each_other(self, tmp_path, small, monkeypatch):
        small()
        remove, inside = ledger_module.remove, []

        def remove_behind_another(path):
            if not inside:
                inside.append(path)
                for count in range(50, 60):
                    enter(ledger_of(tmp_path), f"{count}")
            remove(path)

        monkeypatch.setattr(ledger_module, "remove", remove_behind_another)
        for count in range(50):
            enter(ledger_of(tmp_path), f"{count}")
        assert inside
        assert set(ledger_of(tmp_path).look().state) == {f"{count}" for count in range(60)}

    def test_tidying_that_fails_does_not_undo_what_was_entered(self, tmp_path, small, monkeypatch, caplog):
        small()

        def refuse(path):
            raise PermissionError(path)

        monkeypatch.setattr(ledger_module, "remove", refuse)
        for count in range(20):
            assert f"{count}" in enter(ledger_of(tmp_path), f"{count}").state
        assert "could not be removed" in caplog.text

    @pytest.mark.parametrize("limit", [30, 25])
    def test_a_number_that_was_removed_is_won_by_nobody(self, tmp_path, small, monkeypatch, limit):
        """A worker is held up between its look and its entry until its number is free for the second time."""
        small(SLOW_SECONDS=0.2)
        enter_most(ledger_of(tmp_path), "first", limit)
        create, was_slow = ledger_module.create, []

        def slow(path, content):
            if not was_slow:
                was_slow.append(path)
                for count in range(25):
                    assert enter_most(ledger_of(tmp_path), f"{count}", limit) == (count < limit - 1)
                time.sleep(0.3)
                assert not path.exists()
            return create(path, content)

        monkeypatch.setattr(ledger_module, "create", slow)
        has_it = enter_most(ledger_of(tmp_path), "slow", limit)
        state = ledger_of(tmp_path).look().state
        assert has_it == ("slow" in state) == (limit == 30)
        assert len(state) == min(limit, 27)


class TestForeignFiles:
    FOREIGN = ("a@b", "notes.txt", "000000.json", "17.json", ".000002.json.0123abcd.part", "000003.json.bak")

    def test_other_files_do_not_matter(self, tmp_path):
        for name in self.FOREIGN:
            (tmp_path / name).write_text("x")
        enter(ledger_of(tmp_path), "a")
        assert ledger_of(tmp_path).look().state == ("a",)

    @pytest.mark.parametrize(
        "content", [b"", b'{"changes": ["B"', b"\xff\xfe", b"[]", b"7", b"{}", b'{"changes": 7}', b'{"changes":[7]}']
    )
    @pytest.mark.parametrize("whole", [0, 10**6])
    def test_what_is_no_entry_keeps_its_number_and_blocks_none(self, tmp_path, small, content, whole, caplog):
        small(WHOLE_BYTES=whole, KEEP=50)
        enter(ledger_of(tmp_path), "a")
        (tmp_path / "000002.json").write_bytes(content)
        (tmp_path / "000004.json").write_bytes(content)
        (tmp_path / "900000.json").write_bytes(content)
        for word in "cde":
            enter(ledger_of(tmp_path), word)
        page = ledger_of(tmp_path).look()
        assert (page.number, page.state) == (6, ("a", "c", "d", "e"))
        assert "passed over" in caplog.text

    def test_a_folder_of_such_a_name_blocks_no_number(self, tmp_path):
        (tmp_path / "000001.json").mkdir()
        enter(ledger_of(tmp_path), "a")
        assert enter(ledger_of(tmp_path), "b").state == ("a", "b")

    def test_who_starts_anew_by_removing_all_starts_anew(self, tmp_path):
        ledger = ledger_of(tmp_path)
        for word in "abc":
            enter(ledger, word)
        for path in tmp_path.iterdir():
            path.unlink()
        assert enter(ledger, "d").state == ("d",)
        assert names(tmp_path) == ["000001.json"]


class TestCost:
    @pytest.fixture
    def counted(self, monkeypatch):
        calls = []

        def counting(name, step):
            def counted(*args):
                calls.append(name)
                return step(*args)

            return counted

        for name, step in STEPS.items():
            monkeypatch.setattr(ledger_module, name, counting(name, step))
        return SimpleNamespace(of=lambda work: (calls.clear(), work(), list(calls))[2])

    def test_an_entry_is_one_listing_one_read_one_creation(self, tmp_path, counted):
        for count in range(20):
            enter(ledger_of(tmp_path), f"{count}")
        assert counted.of(lambda: enter(ledger_of(tmp_path), "a")) == ["entries", "read_whole", "create"]

    def test_who_knows_the_ledger_reads_nothing_again(self, tmp_path, counted):
        ledger = ledger_of(tmp_path)
        enter(ledger, "a")
        assert counted.of(lambda: enter(ledger, "b")) == ["entries", "create"]
        assert counted.of(ledger.look) == ["entries"]
        enter(ledger_of(tmp_path), "c")
        assert counted.of(ledger.look) == ["entries", "read_whole"]

    def test_a_look_that_shows_nothing_new_is_a_look(self, tmp_path, small, counted):
        small(SLOW_SECONDS=0.2)
        ledger = ledger_of(tmp_path)
        enter(ledger, "a")
        ledger.look()
        time.sleep(0.3)
        assert counted.of(lambda: enter(ledger, "b")) == ["entries", "create"]

    def test_of_a_large_state_only_what_is_new_is_read(self, tmp_path, small, counted):
        small(CHECKPOINT_EVERY=10**6, KEEP=10**6)
        ledger = ledger_of(tmp_path)
        for count in range(20):
            enter(ledger, f"{count}")
        for word in "abc":
            enter(ledger_of(tmp_path), word)
        assert counted.of(ledger.look) == ["entries", *["read_whole"] * 3]
        assert ledger.look().state[-3:] == ("a", "b", "c")


def test_the_times_of_entries_are_those_of_the_store(tmp_path):
    page = enter(ledger_of(tmp_path), "a")
    assert page.written == {}
    os.utime(tmp_path / "000001.json", (50, 50))
    looked: Page = ledger_of(tmp_path).look()
    assert looked.written == {1: 50.0}
