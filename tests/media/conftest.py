"""Clips made once per session, and a server on loopback that can misbehave."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from airflow_provider_klingvideo.media.ffmpeg.binaries import Binaries, find_binaries
from airflow_provider_klingvideo.media.settings import DownloadLimits, MediaSettings

PICTURE = ["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=2"]
SOUND = ["-f", "lavfi", "-i", "sine=frequency=440:duration=2"]
H264 = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"]
AAC = ["-c:a", "aac", "-shortest"]

CLIPS: dict[str, list[str]] = {
    "plain": [*PICTURE, *SOUND, *H264, *AAC, "-movflags", "+faststart"],
    "moov_last": [*PICTURE, *SOUND, *H264, *AAC],
    "silent": [*PICTURE, *H264],
    "odd": ["-f", "lavfi", "-i", "testsrc=size=319x179:rate=25:duration=1", *H264[:4], "-pix_fmt", "yuv444p"],
    "ten_bit": [*PICTURE, *H264[:4], "-pix_fmt", "yuv420p10le"],
    "one_frame": ["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=0.04", *H264],
    "one_frame_long_sound": [
        *("-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=0.04"),
        *SOUND,
        *H264,
        *("-c:a", "aac"),
    ],
    "portrait": ["-f", "lavfi", "-i", "testsrc2=size=180x320:rate=25:duration=1", *H264],
    # Black for a second, moving for one, frozen for two, moving to the end.
    "faulty": [
        *("-f", "lavfi", "-i", "color=black:size=64x64:rate=10:duration=1"),
        *("-f", "lavfi", "-i", "testsrc2=size=64x64:rate=10:duration=1"),
        *("-f", "lavfi", "-i", "color=red:size=64x64:rate=10:duration=2"),
        *("-f", "lavfi", "-i", "testsrc2=size=64x64:rate=10:duration=2"),
        *("-f", "lavfi", "-i", "sine=frequency=440:duration=6"),
        *("-filter_complex", "[0][1][2][3]concat=n=4", *H264, "-c:a", "aac"),
    ],
    "hushed": [*PICTURE, "-f", "lavfi", "-i", "anullsrc=duration=2", *H264, *AAC],
    "sound_only": [*SOUND, "-c:a", "aac"],
    "labelled": [
        *PICTURE,
        *H264,
        *("-movflags", "+use_metadata_tags", "-metadata", 'AIGC={"Label":"1"}', "-metadata", "title=a cat"),
    ],
}


@pytest.fixture
def no_pyav(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without PyAV."""
    monkeypatch.setitem(sys.modules, "av", None)


@pytest.fixture(scope="session")
def binaries() -> Binaries:
    return find_binaries()


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory, binaries: Binaries) -> Callable[[str], Path]:
    """Clips by name; each is made when it is first asked for."""
    folder = tmp_path_factory.mktemp("clips")

    def clip(name: str) -> Path:
        path = folder / f"{name}.mp4"
        if not path.exists():
            _ffmpeg(binaries, *CLIPS[name], str(path))
        return path

    return clip


@pytest.fixture(scope="session")
def rotated(clips: Callable[[str], Path], binaries: Binaries) -> Path:
    """Stored as 320x180, shown as 180x320."""
    path = clips("plain").with_name("rotated.mp4")
    _ffmpeg(binaries, "-display_rotation", "90", "-i", str(clips("plain")), "-c", "copy", str(path))
    return path


def _ffmpeg(binaries: Binaries, *arguments: str) -> None:
    subprocess.run(
        [binaries.ffmpeg, "-hide_banner", "-nostdin", "-y", "-loglevel", "error", *arguments], check=True, timeout=60
    )


@dataclass
class Server:
    """Answers every request by the first handler in ``script`` that is left, the last one for ever."""

    http: ThreadingHTTPServer
    script: list[Callable[[BaseHTTPRequestHandler], None]] = field(default_factory=list)
    requests: list[BaseHTTPRequestHandler] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def port(self) -> int:
        return int(self.http.server_address[1])

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.host}/video.mp4?Signature=s3cret&Expires=1"


@pytest.fixture
def server() -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            state.requests.append(self)
            respond = state.script.pop(0) if len(state.script) > 1 else state.script[0]
            respond(self)

        def log_message(self, *_args: object) -> None:
            """Keep the test output quiet."""

    class QuietServer(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_args: object) -> None:
            """Clients that hang up are part of the tests."""

    http = QuietServer(("127.0.0.1", 0), Handler)
    state = Server(http)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield state
    state.stopping.set()
    http.shutdown()
    http.server_close()


@pytest.fixture
def settings(server: Server, tmp_path: Path) -> MediaSettings:
    """Settings that may fetch from the test server and keep their scratch files in sight."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return MediaSettings(
        limits=DownloadLimits(pause_seconds=0, read_seconds=5),
        allowed_private_hosts=frozenset({server.host}),
        scratch_dir=str(scratch),
        ffmpeg_seconds=60,
    )
