"""The clips: real MP4 files behind signed addresses, and downloads that go wrong."""

from __future__ import annotations

import hashlib
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from sandbox_calls import Clock, Create, Look

from airflow_provider_klingvideo.sandbox import SandboxServer, SandboxSettings
from airflow_provider_klingvideo.sandbox.drawing import ffmpeg as tools
from airflow_provider_klingvideo.sandbox.drawing.ffmpeg import SandboxMediaError, find_ffmpeg, find_font
from airflow_provider_klingvideo.sandbox.drawing.render import Clip, render
from airflow_provider_klingvideo.sandbox.files.images import SAMPLES, image_size, sample_png

HOSTILE = "it's %{pts} [v];[0:v]null,movie=/etc/passwd \\ 100% x':textfile='/etc/passwd\n-i \x00 \u202e 狐 🦊"

Fetch = Callable[..., httpx.Response]


@pytest.fixture
def clip_url(create: Create, look: Look, clock: Clock) -> str:
    task_id = create("a clip", settings={"duration": 3})
    clock.finish()
    return str(look(task_id)["outputs"][0]["url"])


def fetch(url: str, **headers: str) -> httpx.Response:
    return httpx.get(url, headers=headers, trust_env=False, timeout=60)


def probe(content: bytes, folder: Path) -> tuple[str, int]:
    """What ffmpeg says about a clip, and how many frames it decodes without an error."""
    file = folder / f"{hashlib.sha256(content).hexdigest()}.mp4"
    file.write_bytes(content)
    arguments = [find_ffmpeg(None), "-hide_banner", "-nostdin", "-xerror", "-i", str(file), "-f", "null", "-"]
    done = subprocess.run(arguments, capture_output=True, text=True, errors="replace", check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stderr, int(re.findall(r"frame=\s*(\d+)", done.stderr)[-1])


@pytest.mark.parametrize(
    ("model", "chosen", "size", "frames", "sounds"),
    [
        ("kling-3.0-turbo", {"duration": 3}, "170x96", 73, True),
        ("kling-3.0", {"aspect_ratio": "9:16", "duration": 3}, "54x96", 73, False),
        ("kling-3.0", {"aspect_ratio": "1:1", "audio": "native"}, "96x96", 121, True),
    ],
)
def test_a_clip_is_what_was_asked_for(
    create: Create,
    look: Look,
    clock: Clock,
    tmp_path: Path,
    model: str,
    chosen: dict[str, Any],
    size: str,
    frames: int,
    sounds: bool,
) -> None:
    task_id = create(HOSTILE, model, settings=chosen)
    clock.finish()
    response = fetch(look(task_id)["outputs"][0]["url"])
    assert response.headers["content-type"] == "video/mp4"
    assert int(response.headers["content-length"]) == len(response.content)
    said, decoded = probe(response.content, tmp_path)
    assert decoded == frames
    assert "Video: h264" in said
    assert "yuv420p" in said
    assert size in said
    assert "24 fps" in said
    assert ("Audio: aac" in said) is sounds
    assert "SANDBOX" in said


def test_the_prompt_is_in_the_picture_and_in_the_file(create: Create, look: Look, clock: Clock, tmp_path: Path) -> None:
    ids = [create(prompt, settings={"duration": 3}) for prompt in ("a red fox", "a red fix")]
    clock.finish()
    clips = [fetch(look(task_id)["outputs"][0]["url"]).content for task_id in ids]
    assert "a red fox" in probe(clips[0], tmp_path)[0]
    assert clips[0] != clips[1]


def test_full_size_is_the_rule(tmp_path: Path) -> None:
    settings = SandboxSettings(queue_seconds=0, generation_seconds=0)
    with SandboxServer(settings) as server:
        headers = {"Authorization": "Bearer sandbox-key"}
        body = {"prompt": "a fox", "settings": {"duration": 3, "resolution": "1080p"}}
        with httpx.Client(base_url=server.url, headers=headers, trust_env=False, timeout=60) as client:
            client.post("/text-to-video/kling-3.0", json=body)
        url = server.ledger()["tasks"][0]["url"]
        assert "1920x1080" in probe(fetch(url).content, tmp_path)[0]


@pytest.mark.parametrize("sample", ["portrait", "sunrise"])
def test_image_to_video_shows_the_image(
    client: httpx.Client, look: Look, clock: Clock, sandbox: SandboxServer, tmp_path: Path, sample: str
) -> None:
    contents = [{"type": "first_frame", "url": f"{sandbox.url}/sandbox/samples/{sample}.png"}]
    body = {"contents": contents, "settings": {"duration": 3}}
    task_id = client.post("/image-to-video/kling-3.0", json=body).json()["data"]["id"]
    while look(task_id)["status"] != "succeeded":
        clock.finish()
    content = fetch(look(task_id)["outputs"][0]["url"]).content
    said, frames = probe(content, tmp_path)
    assert (frames, {"portrait": "54x96", "sunrise": "170x96"}[sample] in said) == (73, True)


def test_the_same_task_always_gives_the_same_bytes(clip_url: str, tmp_path: Path) -> None:
    assert fetch(clip_url).content == fetch(clip_url).content
    clip = Clip(96, 96, 10, "a fox", ("facts",), sound=True, image=None)
    drawn = []
    for name in ("one.mp4", "two.mp4"):
        render(clip, tmp_path / name, None)
        drawn.append((tmp_path / name).read_bytes())
    assert drawn[0] == drawn[1]


def test_the_watermarked_clip_is_another_one(create: Create, look: Look, clock: Clock) -> None:
    task_id = create(settings={"duration": 3}, options={"watermark_info": {"enabled": True}})
    clock.finish()
    (output,) = look(task_id)["outputs"]
    assert fetch(output["url"]).content != fetch(output["watermark_url"]).content


def test_ranges(clip_url: str) -> None:
    whole = fetch(clip_url)
    part = fetch(clip_url, Range="bytes=100-199")
    assert (part.status_code, part.content) == (206, whole.content[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{len(whole.content)}"
    rest = fetch(clip_url, **{"Range": "bytes=1000-", "If-Range": whole.headers["etag"]})
    assert (rest.status_code, rest.content) == (206, whole.content[1000:])
    assert httpx.head(clip_url, trust_env=False).headers["content-length"] == str(len(whole.content))


def test_an_address_expires(clip_url: str, clock: Clock) -> None:
    clock.pass_(30 * 86_400 + 1)
    assert fetch(clip_url).status_code == 403


@pytest.mark.parametrize(
    "spoil",
    [
        lambda url: url.split("?")[0],
        lambda url: url[:-1] + ("0" if url[-1] != "0" else "1"),
        lambda url: url.replace("Expires=1", "Expires=2"),
        lambda url: url.replace("Expires=", "Expires=x"),
        lambda url: url.replace("Signature=", "Signature=%C3%A4"),
        lambda url: url.replace(".mp4", "-watermark.mp4"),
    ],
)
def test_only_the_signed_address_opens(clip_url: str, spoil: Callable[[str], str]) -> None:
    assert fetch(spoil(clip_url)).status_code == 403


def test_the_clip_of_a_forgotten_task_is_gone(clip_url: str, sandbox: SandboxServer) -> None:
    sandbox.reset()
    assert fetch(clip_url).status_code == 404


class TestDownloadsThatGoWrong:
    @pytest.mark.parametrize("status", [403, 404])
    def test_expired_url(self, clip_url: str, sandbox: SandboxServer, status: int) -> None:
        sandbox.add_rule({"action": {"type": "expired_url", "http_status": status}, "times": 1})
        assert [fetch(clip_url).status_code for _ in range(2)] == [status, 200]

    def test_short_media(self, clip_url: str, sandbox: SandboxServer, tmp_path: Path) -> None:
        sandbox.add_rule({"action": {"type": "short_media", "seconds": 1}, "times": 1})
        assert [probe(fetch(clip_url).content, tmp_path)[1] for _ in range(2)] == [24, 73]

    def test_truncate_media(self, clip_url: str, sandbox: SandboxServer) -> None:
        whole = fetch(clip_url).content
        sandbox.add_rule({"action": {"type": "truncate_media", "fraction": 0.25}, "times": 1})
        cut = fetch(clip_url)
        assert (cut.status_code, cut.headers["content-type"]) == (200, "video/mp4")
        assert cut.content == whole[: len(whole) // 4]

    def test_html_media(self, clip_url: str, sandbox: SandboxServer) -> None:
        sandbox.add_rule({"action": {"type": "html_media"}})
        response = fetch(clip_url)
        assert (response.status_code, response.text[:15]) == (200, "<!doctype html>")

    def test_drop_media_at(self, clip_url: str, sandbox: SandboxServer) -> None:
        whole = fetch(clip_url).content
        sandbox.add_rule(
            {"match": {"prompt_contains": "a clip"}, "action": {"type": "drop_media_at", "fraction": 0.5}, "times": 2}
        )
        for begin in (0, 500):
            got: list[bytes] = []
            with httpx.stream("GET", clip_url, headers={"Range": f"bytes={begin}-"}, trust_env=False) as response:
                assert int(response.headers["content-length"]) == len(whole) - begin
                with pytest.raises(httpx.RemoteProtocolError):
                    got.extend(response.iter_raw())
            assert b"".join(got) == whole[begin : begin + int((len(whole) - begin) * 0.5)]
        assert fetch(clip_url).content == whole

    def test_a_rule_for_requests_also_strikes_here(self, clip_url: str, sandbox: SandboxServer) -> None:
        sandbox.add_rule({"match": {"path": "/media/*"}, "action": {"type": "html", "http_status": 502}, "times": 1})
        assert [fetch(clip_url).status_code for _ in range(2)] == [502, 200]

    def test_no_address_is_shown_in_the_log(self, clip_url: str, sandbox: SandboxServer) -> None:
        fetch(clip_url)
        assert sandbox.requests()[0]["path"].endswith(".mp4")


class TestTools:
    def test_without_ffmpeg_the_download_says_so(self, tmp_path: Path) -> None:
        settings = SandboxSettings(queue_seconds=0, generation_seconds=0, ffmpeg=tmp_path / "none")
        with SandboxServer(settings) as server:
            headers = {"Authorization": "Bearer sandbox-key"}
            httpx.post(f"{server.url}/text-to-video/kling-3.0", json={"prompt": "a"}, headers=headers, trust_env=False)
            server.add_rule({"action": {"type": "truncate_media"}, "times": 1})
            for _ in range(2):
                response = fetch(server.ledger()["tasks"][0]["url"])
                assert response.status_code == 500
                assert "There is no ffmpeg at" in response.text

    def test_an_ffmpeg_that_fails_leaves_no_file(self, tmp_path: Path) -> None:
        broken = tmp_path / "ffmpeg"
        broken.write_text("#!/bin/sh\necho 'cannot do it' >&2\nexit 3\n")
        broken.chmod(0o755)
        target = tmp_path / "clip.mp4"
        with pytest.raises(SandboxMediaError, match="cannot do it"):
            render(Clip(96, 96, 2, "a", (), sound=False, image=None), target, broken)
        assert not target.exists()

    def test_the_ffmpeg_on_path_comes_before_the_wheel(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        own = tmp_path / "ffmpeg"
        own.write_text("#!/bin/sh\n")
        own.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        assert find_ffmpeg(None) == str(own)

    def test_no_ffmpeg_at_all(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setitem(__import__("sys").modules, "imageio_ffmpeg", None)
        with pytest.raises(SandboxMediaError, match=r"No ffmpeg was found.*Install the extra"):
            find_ffmpeg(None)

    def test_without_a_font_the_prompt_is_in_the_file_only(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setattr(tools, "_FONT_FOLDERS", (str(tmp_path),))
        find_font.cache_clear()
        try:
            render(Clip(96, 96, 2, "a lonely fox", (), sound=False, image=None), tmp_path / "clip.mp4", None)
        finally:
            find_font.cache_clear()
        assert "no TrueType font" in caplog.text
        assert "a lonely fox" in probe((tmp_path / "clip.mp4").read_bytes(), tmp_path)[0]

    def test_a_font_is_found_without_fontconfig(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("Other.ttf", "DejaVuSans.ttf"):
            (tmp_path / name).touch()
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setattr(tools, "_FONT_FOLDERS", (str(tmp_path),))
        find_font.cache_clear()
        try:
            assert find_font() == tmp_path / "DejaVuSans.ttf"
        finally:
            find_font.cache_clear()

    def test_an_ffmpeg_without_drawtext_draws_no_text(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        plain = tmp_path / "ffmpeg"
        plain.write_text(f'#!/bin/sh\ncase "$*" in *-filters*) exit 0;; esac\nexec {find_ffmpeg(None)} "$@"\n')
        plain.chmod(0o755)
        render(Clip(96, 96, 2, "a fox", (), sound=False, image=None), tmp_path / "clip.mp4", plain)
        assert "no drawtext" in caplog.text
        assert probe((tmp_path / "clip.mp4").read_bytes(), tmp_path)[1] == 2


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_are_images_for_image_to_video(client: httpx.Client, name: str) -> None:
    response = client.get(f"/sandbox/samples/{name}.png")
    assert response.headers["content-type"] == "image/png"
    width, height = image_size(response.content) or (0, 0)
    assert min(width, height) >= 512
    assert response.content == sample_png(name)


def test_there_is_no_other_sample(client: httpx.Client) -> None:
    response = client.get("/sandbox/samples/cat.png")
    assert (response.status_code, "sunrise" in response.text) == (404, True)
