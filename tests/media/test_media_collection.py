"""Pictures, sounds and texts on their way into the store, and single frames of videos on their way out."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st
from media_answers import serve, status

from airflow_provider_klingvideo.media import (
    Artifact,
    DownloadError,
    ExpiredUrlError,
    FFmpegError,
    ResultFile,
    VerificationError,
    collect,
    file_type,
    last_frame,
    picture_size,
)
from airflow_provider_klingvideo.storage.errors import UnsafeNameError

SRT = b"1\n00:00:00,000 --> 00:00:01,000\nHello\n"
ASS = b"[Script Info]\nTitle: x\n"
# What ffmpeg makes of its test sources, by extension.
MADE = {
    "png": ["-f", "lavfi", "-i", "testsrc=size=320x240", "-frames:v", "1"],
    "jpg": ["-f", "lavfi", "-i", "testsrc=size=320x240", "-frames:v", "1", "-pix_fmt", "yuvj420p"],
    "webp": ["-f", "lavfi", "-i", "testsrc=size=320x240", "-frames:v", "1", "-c:v", "libwebp"],
    "wav": ["-f", "lavfi", "-i", "sine=duration=0.5"],
    "mp3": ["-f", "lavfi", "-i", "sine=duration=0.5"],
    "aac": ["-f", "lavfi", "-i", "sine=duration=0.5"],
    "m4a": ["-f", "lavfi", "-i", "sine=duration=0.5", "-c:a", "aac"],
    "mp4": ["-f", "lavfi", "-i", "testsrc2=size=320x240:duration=0.5", "-pix_fmt", "yuv420p"],
}


@pytest.fixture(scope="module")
def made(tmp_path_factory, binaries):
    """The content of a real file of a type."""
    folder = tmp_path_factory.mktemp("made")

    def content(extension):
        path = folder / f"file.{extension}"
        if not path.exists():
            subprocess.run([binaries.ffmpeg, "-loglevel", "error", *MADE[extension], str(path)], check=True, timeout=60)
        return path.read_bytes()

    return content


class Vendor:
    """Offers one file, and counts how often its address is asked for."""

    def __init__(self, server, settings, folder):
        self.server, self.settings, self.folder = server, settings, folder
        self.asked = 0

    def fetch_url(self):
        self.asked += 1
        return self.server.url

    def collect(self, *extensions, recorded=None, stem="image-1", duration=None):
        file = ResultFile(stem, extensions, self.fetch_url, duration)
        return collect([file], self.folder, settings=self.settings, recorded=recorded)


@pytest.fixture
def vendor(server, settings, tmp_path):
    return Vendor(server, settings, tmp_path / "job")


@pytest.mark.parametrize("extension", MADE)
def test_a_real_file_is_known_by_its_first_bytes(made, extension):
    assert file_type(made(extension)[:12]).extension == extension


@pytest.mark.parametrize(("content", "extension"), [(SRT, "srt"), (ASS, "ass"), (b"\xef\xbb\xbf" + SRT, "srt")])
def test_texts_are_known_too(content, extension):
    assert file_type(content).extension == extension


@pytest.mark.parametrize("extension", ["png", "jpg", "webp"])
def test_the_size_of_a_picture_is_read_from_its_header(made, extension):
    assert picture_size(made(extension)) == (320, 240)


@pytest.mark.parametrize("options", [["-lossless", "1"], ["-pix_fmt", "yuva420p"]], ids=["lossless", "extended"])
def test_the_other_kinds_of_webp(tmp_path, binaries, options):
    path = tmp_path / "a.webp"
    source = ["-f", "lavfi", "-i", "testsrc=size=322x242", "-frames:v", "1", "-c:v", "libwebp"]
    subprocess.run([binaries.ffmpeg, "-loglevel", "error", *source, *options, str(path)], check=True, timeout=60)
    assert picture_size(path.read_bytes()) == (322, 242)


@given(
    st.sampled_from([b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF0000WEBPVP8X", b"RIFF0000WEBPVP8L", b""]), st.binary()
)
def test_any_bytes_have_a_size_or_none(head, rest):
    size = picture_size(head + rest)
    assert size is None or all(side >= 0 for side in size)


@pytest.mark.parametrize("extension", ["png", "jpg", "webp", "wav", "mp3", "m4a", "aac", "mp4"])
def test_a_whole_file_is_stored_as_it_came(vendor, made, extension):
    content = made(extension)
    vendor.server.script = [serve(content)]
    artifact = vendor.collect("png", extension)[f"image-1.{extension}"]
    assert (vendor.folder / artifact.name).read_bytes() == content
    assert artifact.size == len(content)
    assert (artifact.width is not None) == (extension in {"png", "jpg", "webp"})
    assert list(vendor.folder.iterdir()) == [vendor.folder / artifact.name]


def test_subtitles_are_stored(vendor):
    vendor.server.script = [serve(SRT)]
    assert vendor.collect("srt", stem="srt-1")["srt-1.srt"].media_type == "application/x-subrip"


def test_a_text_in_another_encoding_is_refused(vendor):
    vendor.server.script = [serve(b"1\n\xff\xfe")]
    with pytest.raises(VerificationError, match="no text in UTF-8"):
        vendor.collect("srt")


def test_a_page_in_the_place_of_a_picture_is_refused(vendor):
    vendor.server.script = [serve(b"<html>sorry</html>", "text/html")]
    with pytest.raises(DownloadError, match="no PNG or JPEG file; it begins with '<html>sorry"):
        vendor.collect("png", "jpg")
    assert not vendor.folder.exists()


def test_a_picture_that_does_not_decode_is_refused(vendor, made):
    damaged = bytearray(made("png"))
    damaged[60:400] = bytes(340)
    vendor.server.script = [serve(bytes(damaged))]
    with pytest.raises(VerificationError, match="does not decode"):
        vendor.collect("png")
    assert not vendor.folder.exists()


def test_a_playlist_in_the_place_of_a_sound_opens_nothing(vendor):
    vendor.server.script = [serve(b"#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n")]
    with pytest.raises(DownloadError, match="no MP3 file"):
        vendor.collect("mp3")


def test_an_expired_address_is_asked_for_anew_once(vendor, made):
    vendor.server.script = [status(403), serve(made("png"))]
    vendor.collect("png")
    assert vendor.asked == 2
    vendor.server.script = [status(403)]
    with pytest.raises(ExpiredUrlError):
        vendor.collect("png")


def test_what_is_stored_and_whole_is_not_loaded_again(vendor, made):
    vendor.server.script = [serve(made("png"))]
    recorded = vendor.collect("png")
    assert vendor.collect("png", "jpg", recorded=recorded) == recorded
    assert vendor.asked == 1
    (vendor.folder / "image-1.png").write_bytes(b"damaged")
    assert vendor.collect("png", recorded=recorded) == recorded
    assert vendor.asked == 2


def test_a_record_of_another_file_is_passed_over(vendor, made):
    vendor.server.script = [serve(made("png"))]
    other = Artifact(name="image-2.png", path="x", size=1, sha256="0", media_type="image/png")
    assert list(vendor.collect("png", recorded={"image-2.png": other})) == ["image-1.png"]


@pytest.mark.parametrize("name", ["../image-1.png", "{0}/image-1.png", "a/../../image-1.png"])
def test_a_record_that_names_a_file_elsewhere_is_passed_over(vendor, made, tmp_path, name):
    (tmp_path / "image-1.png").write_bytes(made("png"))
    vendor.server.script = [serve(made("png"))]
    first = vendor.collect("png")
    elsewhere = first["image-1.png"].model_copy(update={"name": name.format(tmp_path)})
    assert vendor.collect("png", recorded={"image-1.png": elsewhere}) == first
    assert vendor.asked == 2


def test_the_place_on_record_does_not_count(vendor, made):
    vendor.server.script = [serve(made("png"))]
    first = vendor.collect("png")
    moved = {name: one.model_copy(update={"path": "/elsewhere.png"}) for name, one in first.items()}
    assert vendor.collect("png", recorded=moved) == first


@pytest.mark.parametrize("stem", ["{0}/elsewhere/image-1", "../image-1", "a/image-1", ".."])
def test_no_file_gets_a_name_that_leads_elsewhere(vendor, made, tmp_path, stem):
    (tmp_path / "elsewhere").mkdir()
    vendor.server.script = [serve(made("png"))]
    with pytest.raises(UnsafeNameError):
        vendor.collect("png", stem=stem.format(tmp_path))
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    assert vendor.asked == 0


class TestLastFrames:
    def test_it_is_the_last_one(self, tmp_path, binaries, settings):
        video, frame = tmp_path / "v.mp4", tmp_path / "frame.jpg"
        red_then_blue = [
            f"color={name}:size=320x240:rate=10:duration={end}" for name, end in (("red", 2.9), ("blue", 0.1))
        ]
        filters = f"{red_then_blue[0]}[a];{red_then_blue[1]}[b];[a][b]concat"
        subprocess.run(
            [binaries.ffmpeg, "-loglevel", "error", "-filter_complex", filters, "-pix_fmt", "yuv420p", str(video)],
            check=True,
            timeout=60,
        )
        frame.write_bytes(last_frame(video, settings))
        pixel = subprocess.run(
            [
                *(binaries.ffmpeg, "-loglevel", "error", "-i", str(frame), "-vf", "scale=1:1"),
                *("-f", "rawvideo", "-pix_fmt", "rgb24", "-"),
            ],
            check=True,
            capture_output=True,
            timeout=60,
        ).stdout
        red, _, blue = pixel
        assert (red < 30, blue > 220) == (True, True)
        assert picture_size(frame.read_bytes()) == (320, 240)

    def test_a_clip_shorter_than_the_tail_has_one_too(self, clips, settings):
        assert picture_size(last_frame(clips("one_frame"), settings)) == (320, 180)

    def test_no_video_no_frame(self, tmp_path, settings):
        (tmp_path / "a.mp4").write_bytes(b"#EXTM3U\nfile:///etc/hostname\n")
        with pytest.raises(FFmpegError):
            last_frame(tmp_path / "a.mp4", settings)
