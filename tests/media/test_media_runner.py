from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_provider_klingvideo.media import FFmpegError, FFmpegMissingError, terminate_all
from airflow_provider_klingvideo.media.ffmpeg.binaries import Binaries
from airflow_provider_klingvideo.media.ffmpeg.runner import ffmpeg_command, run, run_ffmpeg
from airflow_provider_klingvideo.media.inspect.probing import streams_of

ENDLESS = ["-re", "-f", "lavfi", "-i", "testsrc2=size=64x64:rate=5", "-f", "null", "-"]


def wait_until(condition: Callable[[], bool], seconds: float = 5) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits for its parent does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def endless(binaries: Binaries) -> list[str]:
    return [*ffmpeg_command(binaries.ffmpeg), *ENDLESS]


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str], list[str]]:
    """Programs that behave worse than ffmpeg does."""

    def script(text: str) -> list[str]:
        path = tmp_path / "ffmpeg"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return [str(path)]

    return script


def test_progress_is_told_in_seconds(binaries: Binaries) -> None:
    seen: list[float] = []
    clip = ["-f", "lavfi", "-i", "testsrc2=size=64x64:rate=10:duration=3", "-f", "null", "-"]
    run_ffmpeg([*ffmpeg_command(binaries.ffmpeg), *clip], timeout=60, on_seconds=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(3, abs=0.11)


def test_positions_that_are_not_known_yet_are_left_out(script: Callable[[str], list[str]]) -> None:
    seen: list[float] = []
    argv = script("echo out_time_us=N/A; echo out_time_us=-7; echo out_time_us=1500000; echo progress=end")
    run_ffmpeg(argv, timeout=60, on_seconds=seen.append)
    assert seen == [0, 1.5]


def test_a_failure_shows_code_command_and_the_last_lines(script: Callable[[str], list[str]]) -> None:
    argv = [*script("seq 1 100 >&2; exit 3"), "https://cdn.example/v.mp4?Signature=s3cret"]
    with pytest.raises(FFmpegError) as caught:
        run_ffmpeg(argv, timeout=60)
    assert caught.value.returncode == 3
    assert caught.value.stderr_tail == [str(number) for number in range(81, 101)]
    assert caught.value.argv == [argv[0], "https://cdn.example/v.mp4"]
    assert "ended with 3\n81\n" in str(caught.value)


def test_floods_on_both_pipes_do_not_block(script: Callable[[str], list[str]]) -> None:
    lines: list[str] = []
    finished = run(script("seq 1 100000 >&2; seq 1 100000"), timeout=60, on_line=lines.append)
    assert finished.returncode == 0
    assert len(lines) == 100_000
    assert finished.stderr[-1] == "100000"


def test_questions_get_no_answer(script: Callable[[str], list[str]]) -> None:
    assert run(script("read answer && exit 1; exit 0"), timeout=60).returncode == 0


def test_a_program_that_cannot_start(tmp_path: Path) -> None:
    with pytest.raises(FFmpegMissingError, match="could not be started: No such file"):
        run_ffmpeg([str(tmp_path / "nothing")], timeout=60)


@pytest.mark.skipif(sys.platform != "linux", reason="set by the wrapper for Linux")
def test_it_can_stand_back(script: Callable[[str], list[str]]) -> None:
    lines: list[str] = []
    run(script("nice"), timeout=60, on_line=lines.append)
    run(script("nice"), timeout=60, on_line=lines.append, nice=3)
    assert int(lines[1]) == min(19, int(lines[0]) + 3)


def test_other_systems_run_it_without_the_wrapper(
    script: Callable[[str], list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert run(script("exit 7"), timeout=60).returncode == 7
    with pytest.raises(FFmpegMissingError, match="could not be started: No such file"):
        run([str(tmp_path / "nothing")], timeout=60)


@pytest.mark.parametrize("ignored", ["", "trap '' TERM INT;"])
def test_a_hanging_program_is_ended(script: Callable[[str], list[str]], tmp_path: Path, ignored: str) -> None:
    argv = script(f"{ignored} echo $$ > {tmp_path}/pid; echo waiting >&2; while :; do sleep 0.1; done")
    with pytest.raises(FFmpegError, match="did not end within") as caught:
        run(argv, timeout=1.5)
    assert caught.value.returncode is None
    assert caught.value.stderr_tail == ["waiting"]
    assert not alive(int((tmp_path / "pid").read_text()))


def test_one_that_closed_its_output_and_hangs_is_ended(script: Callable[[str], list[str]]) -> None:
    with pytest.raises(FFmpegError, match="did not end within"):
        run(script("exec >&- 2>&-; while :; do sleep 0.1; done"), timeout=1.5)


def test_an_exception_in_the_listener_ends_it(binaries: Binaries) -> None:
    class TaskTimeoutError(Exception):
        pass

    def stop(_line: str) -> None:
        raise TaskTimeoutError

    with pytest.raises(TaskTimeoutError):
        run(endless(binaries), timeout=60, on_line=stop)
    assert children() == []


def test_terminate_all_ends_every_run(binaries: Binaries) -> None:
    started = threading.Barrier(3)
    errors: list[FFmpegError] = []

    def work() -> None:
        first = True

        def report(_seconds: float) -> None:
            nonlocal first
            if first:
                first = False
                started.wait(30)

        try:
            run_ffmpeg(endless(binaries), timeout=60, on_seconds=report)
        except FFmpegError as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    started.wait(30)
    terminate_all()
    for thread in threads:
        thread.join(10)
    assert len(errors) == 2
    assert children() == []
    terminate_all()


def test_terminate_all_works_in_a_signal_handler(binaries: Binaries) -> None:
    before = signal.signal(signal.SIGUSR1, lambda *_: terminate_all())
    try:
        with pytest.raises(FFmpegError):
            run_ffmpeg(endless(binaries), timeout=60, on_seconds=lambda _: os.kill(os.getpid(), signal.SIGUSR1))
    finally:
        signal.signal(signal.SIGUSR1, before)


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
def test_ffmpeg_dies_with_a_killed_parent(binaries: Binaries) -> None:
    program = (
        "import sys\n"
        "from airflow_provider_klingvideo.media.ffmpeg.runner import run\n"
        "run(sys.argv[1:], timeout=60, on_line=lambda line: print(line, flush=True))\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program, *endless(binaries)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    while not parent.stdout.readline().startswith("out_time_us="):
        assert parent.poll() is None
    (child,) = children(parent.pid)
    assert "ffmpeg" in Path(f"/proc/{child}/exe").readlink().name
    parent.kill()
    parent.wait(10)
    parent.stdout.close()
    assert wait_until(lambda: not alive(child))


def children(parent: int | None = None) -> list[int]:
    """The ffmpeg processes of a process; that of the tests may have children of other tests."""
    listed = Path(f"/proc/{parent or os.getpid()}/task").glob("*/children")
    return [pid for path in listed for pid in map(int, path.read_text().split()) if alive(pid) and is_ffmpeg(pid)]


def is_ffmpeg(pid: int) -> bool:
    return b"ffmpeg" in Path(f"/proc/{pid}/cmdline").read_bytes()


def test_what_a_program_says_is_told_and_not_obeyed(script: Callable[[str], list[str]]) -> None:
    hostile = r"\033[2Jgone\033]8;;http://evil.example\033\\ \302\23331m \342\200\256exe \363\240\201\201"
    argv = script(f"printf '{hostile}\\n' >&2; exit 3")
    with pytest.raises(FFmpegError, match="gone") as caught:
        run_ffmpeg(argv, timeout=5)
    for text in (*caught.value.stderr_tail, caught.value.message, str(caught.value)):
        assert all(unicodedata.category(letter) not in {"Cc", "Cf"} for letter in text.replace("\n", ""))


def test_titles_of_a_video_forge_no_stream(binaries: Binaries, tmp_path: Path) -> None:
    sound = ["-f", "lavfi", "-i", "sine=duration=0.2", "-c:a", "pcm_s16le", "-f", "mp4"]
    forged = "a\n  Stream #0:0: Audio: aac (LC)\r  Stream #0:1: Audio: aac\x1b[2J\u202e"
    path = tmp_path / "a.mp4"
    run_ffmpeg(
        [*ffmpeg_command(binaries.ffmpeg), *sound[:4], "-metadata", f"title={forged}", *sound[4:], str(path)],
        timeout=60,
    )
    options = {"f": "mov", "protocol_whitelist": "file", "codec_whitelist": "aac"}
    assert [(one.number, one.codec) for one in streams_of(path, options, binaries)] == [(0, "pcm_s16le")]
