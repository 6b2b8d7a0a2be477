from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ffmpeg
import pytest
from media_measures import changed
from media_measures import ffmpeg as run_ffmpeg
from pydantic import ValidationError

from airflow_provider_klingvideo.media import FFmpegMissingError, FilmError
from airflow_provider_klingvideo.media.decor import fonts as font_module
from airflow_provider_klingvideo.media.decor.overlays import ANCHORS, Caption, Logo, Subtitles, Title
from airflow_provider_klingvideo.media.ffmpeg.binaries import Binaries, Features
from airflow_provider_klingvideo.media.ffmpeg.blocks import Canvas

WIDTH, HEIGHT, RATE = 320, 180, 5
MONO = "/usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf"
SRT = "1\n00:00:01,000 --> 00:00:02,000\nThe fox: it's 100% %{pts} awake\n"

needs_mono = pytest.mark.skipif(not Path(MONO).exists(), reason="needs the package fonts-dejavu-core")


@pytest.fixture
def canvas(binaries: Binaries, tmp_path: Path) -> Canvas:
    return Canvas(WIDTH, HEIGHT, tmp_path, binaries.features)


def drawn(overlays: Sequence[Any], canvas: Canvas, binaries: Binaries, seconds: float = 0.4) -> list[bytes]:
    """The brightness of every pixel of every frame of a grey film with overlays."""
    source = ffmpeg.input(f"color=gray:size={WIDTH}x{HEIGHT}:rate={RATE}:duration={seconds}", f="lavfi")
    frames = source.filter("format", "yuv420p")
    for overlay in overlays:
        frames = overlay.apply(frames, canvas)
    output = ffmpeg.output(frames.filter("format", "gray"), "-", format="rawvideo")
    argv = ffmpeg.compile(output, cmd=[binaries.ffmpeg, "-v", "error", "-nostdin"])
    for overlay in overlays:
        for text in (getattr(overlay, "text", None), SRT):
            assert text is None or not any(text in argument for argument in argv)
    raw = subprocess.run(argv, capture_output=True, check=True, timeout=60).stdout
    return [raw[at : at + WIDTH * HEIGHT] for at in range(0, len(raw), WIDTH * HEIGHT)]


def extent(before: bytes, after: bytes) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what differs; right and bottom lie outside."""
    places = list(changed(before, after, WIDTH))
    assert places
    columns, rows = [x for x, _ in places], [y for _, y in places]
    return min(columns), min(rows), max(columns) + 1, max(rows) + 1


@pytest.fixture
def plain(canvas: Canvas, binaries: Binaries) -> list[bytes]:
    return drawn([], canvas, binaries)


@pytest.fixture
def white(tmp_path: Path) -> Path:
    path = tmp_path / "logo.png"
    run_ffmpeg("-f", "lavfi", "-i", "color=white:size=40x20,format=rgba", "-frames:v", 1, path)
    return path


class TestLogo:
    @pytest.mark.parametrize(
        ("corner", "expected"),
        [
            ("top_left", (18, 18, 82, 50)),
            ("top_right", (238, 18, 302, 50)),
            ("bottom_left", (18, 130, 82, 162)),
            ("bottom_right", (238, 130, 302, 162)),
        ],
    )
    def test_fills_its_corner_and_nothing_else(
        self, canvas: Canvas, binaries: Binaries, plain: list[bytes], white: Path, corner: str, expected: Any
    ) -> None:
        logo = Logo.model_validate({"file": str(white), "corner": corner, "width": 0.2, "margin": 0.1})
        for before, after in zip(plain, drawn([logo], canvas, binaries), strict=True):
            assert extent(before, after) == expected
            assert len(list(changed(before, after, WIDTH))) == 64 * 32

    def test_lets_the_film_shine_through(
        self, canvas: Canvas, binaries: Binaries, plain: list[bytes], white: Path
    ) -> None:
        whole, half = (
            drawn([Logo(file=str(white), opacity=opacity, corner="top_left", margin=0)], canvas, binaries)[0][0]
            for opacity in (1.0, 0.5)
        )
        assert half == pytest.approx((whole + plain[0][0]) / 2, abs=3)

    def test_is_a_picture_and_no_playlist(self, canvas: Canvas, tmp_path: Path) -> None:
        evil = tmp_path / "logo.png"
        evil.write_text("ffconcat version 1.0\nfile /etc/passwd\n")
        with pytest.raises(FilmError, match="This is no PNG or JPEG or WebP file"):
            Logo(file=str(evil)).apply(None, canvas)

    def test_is_not_decoded_when_it_is_a_bomb(self, canvas: Canvas, white: Path) -> None:
        head = bytearray(white.read_bytes())
        head[16:24] = (20000).to_bytes(4, "big") * 2
        white.write_bytes(head)
        with pytest.raises(FilmError, match="20000x20000 pixels"):
            Logo(file=str(white)).apply(None, canvas)


HOSTILE = [
    "it's a 'fox'",
    "a:b:c",
    "%{pts} %{n}",
    "[v];movie=/etc/passwd",
    "x':textfile='/etc/hostname",
    "back\\slash \\n",
    "a, b; c = [d]",
    "fox \N{FOX FACE}!",
]


class TestCaption:
    @needs_mono
    @pytest.mark.parametrize("text", HOSTILE)
    def test_any_text_is_drawn_letter_by_letter(self, canvas: Canvas, binaries: Binaries, text: str) -> None:
        looks = {"fontfile": MONO, "size": 0.06, "box": "white", "colour": "black"}
        frames = drawn([Caption(text=text, **looks)], canvas, binaries, seconds=1)
        harmless = drawn([Caption(text="x" * len(text), **looks)], canvas, binaries, seconds=1)
        blank = drawn([], canvas, binaries, seconds=1)
        # Letters of one width each: what is expanded, or ends the text, would make the box longer or shorter.
        found, expected = extent(blank[0], frames[0]), extent(blank[0], harmless[0])
        assert found[2] - found[0] == pytest.approx(expected[2] - expected[0], abs=3)
        # A time or a number of the frame would change.
        assert len(set(frames)) == 1
        assert frames[0] != harmless[0]

    @needs_mono
    def test_lines_are_kept_and_long_ones_broken(self, canvas: Canvas, binaries: Binaries) -> None:
        looks = {"fontfile": MONO, "size": 0.1, "box": "white", "position": "center"}
        blank = drawn([], canvas, binaries)[0]
        heights = []
        for text in ("fox", "fox\nden", "word " * 12):
            left, top, right, bottom = extent(blank, drawn([Caption(text=text, **looks)], canvas, binaries)[0])
            heights.append(bottom - top)
            assert 0 < left < right < WIDTH
        assert heights[1] > heights[0] + 15
        assert heights[2] > heights[1] + 15

    @pytest.mark.parametrize("position", ANCHORS)
    def test_is_where_it_is_said_to_be(
        self, canvas: Canvas, binaries: Binaries, plain: list[bytes], position: str
    ) -> None:
        caption = Caption.model_validate({"text": "HH", "position": position, "margin": 0.1, "box": "black@0"})
        left, top, right, bottom = extent(plain[0], drawn([caption], canvas, binaries)[0])
        across, down = ANCHORS[position]
        assert left == pytest.approx(18 + (WIDTH - 36 - (right - left)) * across, abs=3)
        assert top == pytest.approx(18 + (HEIGHT - 36 - (bottom - top)) * down, abs=8)

    def test_comes_and_goes(self, canvas: Canvas, binaries: Binaries) -> None:
        blank = drawn([], canvas, binaries, seconds=2)
        frames = drawn([Caption(text="now", start=0.4, end=1.2)], canvas, binaries, seconds=2)
        shown = [index for index, frame in enumerate(frames) if frame != blank[index]]
        assert shown == [2, 3, 4, 5]

    def test_a_title_stands_in_the_middle_of_the_opening(
        self, canvas: Canvas, binaries: Binaries, plain: list[bytes]
    ) -> None:
        left, top, right, bottom = extent(plain[0], drawn([Title(text="Fox")], canvas, binaries)[0])
        assert (left + right) / 2 == pytest.approx(WIDTH / 2, abs=4)
        assert (top + bottom) / 2 == pytest.approx(HEIGHT / 2, abs=8)
        assert Title(text="Fox").end == 3

    @pytest.mark.parametrize("colour", ["white:textfile=/etc/passwd", "red,null", "#12", "", "white@2"])
    def test_colours_are_colours(self, colour: str) -> None:
        if colour:
            with pytest.raises(ValidationError):
                Caption(text="fox", colour=colour)
        else:
            assert Caption(text="fox", colour=colour).colour == "white"

    def test_needs_a_font(self, canvas: Canvas, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        font_module.default_font.cache_clear()
        monkeypatch.setattr(font_module, "FOLDERS", (str(tmp_path),))
        with pytest.raises(FilmError, match=r"fonts-dejavu-core"):
            Caption(text="fox").apply(ffmpeg.input("x"), canvas)
        font_module.default_font.cache_clear()


class TestSubtitles:
    @pytest.fixture
    def srt(self, tmp_path: Path) -> Path:
        path = tmp_path / "words: 'in' [brackets],.srt"
        path.write_text(SRT, encoding="utf-8")
        return path

    def test_are_seen_in_their_time_at_the_foot_of_the_picture(
        self, canvas: Canvas, binaries: Binaries, srt: Path
    ) -> None:
        blank = drawn([], canvas, binaries, seconds=3)
        frames = drawn([Subtitles(file=str(srt))], canvas, binaries, seconds=3)
        shown = [index for index, frame in enumerate(frames) if frame != blank[index]]
        assert shown == [5, 6, 7, 8, 9]
        assert extent(blank[5], frames[5])[1] > HEIGHT / 2
        assert len({frames[index] for index in shown}) == 1

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"ffconcat version 1.0\nfile /etc/passwd\n", "no ASS or SRT file"),
            (b"#EXTM3U\n", "no ASS or SRT file"),
            (b"1\n00:00:01,000 --> 00:00:02,000\n\xff\xfe\n", "not in UTF-8"),
        ],
    )
    def test_are_subtitles(self, canvas: Canvas, tmp_path: Path, content: bytes, words: str) -> None:
        path = tmp_path / "words.srt"
        path.write_bytes(content)
        with pytest.raises(FilmError, match=words):
            Subtitles(file=str(path)).apply(None, canvas)
        with pytest.raises(FilmError, match=words):
            Subtitles(file=str(path)).track(tmp_path)


@pytest.mark.parametrize(
    ("overlay", "words"),
    [
        (Caption(text="fox"), "Caption needs the ffmpeg filter drawtext"),
        (Title(text="fox"), "Title needs the ffmpeg filter drawtext"),
        (Subtitles(file="a.srt"), "Subtitles needs the ffmpeg filter subtitles"),
        (Logo(file="a.png"), "Logo needs the ffmpeg filter colorchannelmixer and format and overlay and scale"),
    ],
)
def test_a_poor_ffmpeg_is_named_with_the_way_out(overlay: Any, words: str, tmp_path: Path) -> None:
    poor = Canvas(WIDTH, HEIGHT, tmp_path, Features(frozenset(), frozenset()))
    with pytest.raises(FFmpegMissingError, match=words) as caught:
        overlay.apply(None, poor)
    assert "pip install" in caught.value.advice
