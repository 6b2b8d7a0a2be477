from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_klingvideo.media import (
    Expected,
    FFmpegError,
    FFmpegMissingError,
    MediaSettings,
    Output,
    OutputError,
    RenderPlan,
    Trim,
    VerificationError,
    probe,
)
from airflow_provider_klingvideo.media.ffmpeg.binaries import Binaries, Features
from airflow_provider_klingvideo.media.inspect.boxes import walk_boxes
from airflow_provider_klingvideo.media.inspect.verify import VerifiedMedia, inspect
from airflow_provider_klingvideo.media.outputs.building import shape_of
from airflow_provider_klingvideo.media.outputs.geometry import fit
from airflow_provider_klingvideo.media.outputs.render import render

SETTINGS = MediaSettings(threads=1, ffmpeg_seconds=60)
DEFAULT = RenderPlan().outputs
MASTER = DEFAULT[:1]
ALL = {"master.mp4", "poster.jpg", "preview.webp", "contact_sheet.jpg"}


def verified(path: Path, binaries: Binaries) -> VerifiedMedia:
    return inspect(path, binaries, Expected(), SETTINGS)


def rendered_files(
    source: Path, outputs: Sequence[Output], folder: Path, binaries: Binaries, **options: Any
) -> dict[str, Path]:
    rendered = render(verified(source, binaries), outputs, folder, binaries, SETTINGS, **options)
    assert (rendered.warnings, rendered.failures) == ((), ())
    return {one.output.file_name: one.main for one in rendered.outputs}


def described(path: Path, binaries: Binaries) -> str:
    """ffmpeg's own line about the first stream."""
    printed = subprocess.run([binaries.ffmpeg, "-i", str(path)], capture_output=True, text=True, check=False).stderr
    return next(line for line in printed.splitlines() if "Stream #0:0" in line)


def picture_size(path: Path, binaries: Binaries) -> tuple[int, int]:
    """Width and height of a still or a WebP, whose animations older versions of ffmpeg cannot read."""
    head = path.read_bytes()[:30]
    if head[8:16] == b"WEBPVP8X":
        return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
    found = re.search(r", (\d+)x(\d+)", described(path, binaries))
    assert found
    return int(found[1]), int(found[2])


def frame_hashes(path: Path, binaries: Binaries) -> str:
    argv = [binaries.ffmpeg, "-v", "error", "-i", str(path), "-f", "framemd5", "-"]
    return re.sub(r"#.*\n", "", subprocess.run(argv, capture_output=True, text=True, check=True).stdout)


def cell_brightness(path: Path, binaries: Binaries, columns: int, rows: int) -> list[int]:
    """Mean brightness of each cell of a contact sheet."""
    argv = [binaries.ffmpeg, "-v", "error", "-i", str(path), "-vf", f"scale={columns}:{rows}:flags=area,format=gray"]
    return list(subprocess.run([*argv, "-f", "rawvideo", "-"], capture_output=True, check=True).stdout)


@pytest.mark.parametrize(
    ("name", "grid"),
    [
        ("plain", (4, 3)),
        ("moov_last", (4, 3)),
        ("silent", (4, 3)),
        ("odd", (4, 3)),
        ("ten_bit", (4, 3)),
        ("portrait", (4, 3)),
        ("one_frame", (1, 1)),
        ("one_frame_long_sound", (4, 3)),
    ],
)
def test_all_outputs_of_any_clip_have_the_size_they_claim(
    clips: Callable[[str], Path], binaries: Binaries, tmp_path: Path, name: str, grid: tuple[int, int]
) -> None:
    check_outputs(verified(clips(name), binaries), binaries, tmp_path, grid)


def test_a_rotated_clip_is_shown_upright(rotated: Path, binaries: Binaries, tmp_path: Path) -> None:
    files = check_outputs(verified(rotated, binaries), binaries, tmp_path, (4, 3))
    assert probe(files["master.mp4"], binaries).rotation == 270


def check_outputs(media: VerifiedMedia, binaries: Binaries, folder: Path, grid: tuple[int, int]) -> dict[str, Path]:
    files = rendered_files(media.path, DEFAULT, folder, binaries)
    assert set(files) == ALL
    for output in DEFAULT[1:]:
        assert picture_size(files[output.file_name], binaries) == shape_of(output, media.info).size
    width, height = fit(media.info.display_size, (320, 320))
    assert shape_of(DEFAULT[3], media.info).size == (grid[0] * width, grid[1] * height)
    master = probe(files["master.mp4"], binaries)
    assert replace(master, duration=0, fps=0) == replace(media.info, duration=0, fps=0)
    assert master.duration == pytest.approx(media.info.duration, abs=0.05)
    return files


class TestMaster:
    def test_starts_fast_and_is_not_encoded_again(
        self, clips: Callable[[str], Path], binaries: Binaries, tmp_path: Path
    ) -> None:
        source = clips("moov_last")
        master = rendered_files(source, MASTER, tmp_path, binaries)["master.mp4"]
        assert walk_boxes(master).faststart
        assert not walk_boxes(source).faststart
        assert frame_hashes(master, binaries) == frame_hashes(source, binaries)

    def test_keeps_marks_of_the_source(self, clips: Callable[[str], Path], binaries: Binaries, tmp_path: Path) -> None:
        master = rendered_files(clips("labelled"), MASTER, tmp_path, binaries)["master.mp4"]
        printed = subprocess.run(
            [binaries.ffmpeg, "-i", str(master)], capture_output=True, text=True, check=False
        ).stderr
        assert re.search(r'AIGC +: \{"Label":"1"\}', printed)
        assert re.search(r"title +: a cat", printed)


class TestStills:
    def test_a_sheet_shows_the_clip_from_beginning_to_end(self, binaries: Binaries, tmp_path: Path) -> None:
        clip = tmp_path / "brighter.mp4"
        picture = "nullsrc=size=320x180:rate=24:duration=5,geq=lum='16+200*T/5':cb=128:cr=128"
        argv = ["-v", "error", "-f", "lavfi", "-i", picture, "-pix_fmt", "yuv420p", str(clip)]
        subprocess.run([binaries.ffmpeg, *argv], check=True)
        sheet = rendered_files(clip, DEFAULT, tmp_path, binaries)["contact_sheet.jpg"]
        cells = cell_brightness(sheet, binaries, 4, 3)
        assert cells == sorted(cells)
        assert len(set(cells)) == 12
        assert cells[0] < 16
        assert cells[-1] > 190

    def test_the_poster_of_a_clip_that_fades_in_is_not_black(self, binaries: Binaries, tmp_path: Path) -> None:
        clip = tmp_path / "fading.mp4"
        picture = "color=white:size=320x180:rate=25:duration=3,fade=in:duration=0.6"
        argv = ["-v", "error", "-f", "lavfi", "-i", picture, "-pix_fmt", "yuv420p", str(clip)]
        subprocess.run([binaries.ffmpeg, *argv], check=True)
        poster = rendered_files(clip, DEFAULT, tmp_path, binaries)["poster.jpg"]
        assert cell_brightness(poster, binaries, 1, 1)[0] > 200

    def test_a_jpeg_beside_it_does_not_spoil_the_preview(
        self, clips: Callable[[str], Path], binaries: Binaries, tmp_path: Path
    ) -> None:
        files = rendered_files(clips("plain"), DEFAULT, tmp_path, binaries)
        assert "yuvj420p(pc" in described(files["poster.jpg"], binaries)
        alone = rendered_files(clips("plain"), [Output(preset="preview")], tmp_path / "alone", binaries)
        assert alone["preview.webp"].read_bytes() == files["preview.webp"].read_bytes()


class TestWhatCannotBeMade:
    """An output that fails is left out and the others are made; only one that is required is an error."""

    def poor(self, folder: Path, binaries: Binaries) -> Binaries:
        program = folder / "ffmpeg"
        program.write_text(f'#!/bin/sh\n"{binaries.ffmpeg}" "$@" | grep -v libwebp\n')
        program.chmod(0o755)
        return Binaries(str(program))

    def test_by_this_ffmpeg(self, clips: Callable[[str], Path], binaries: Binaries, tmp_path: Path) -> None:
        media = verified(clips("plain"), binaries)
        rendered = render(media, DEFAULT, tmp_path, self.poor(tmp_path, binaries), SETTINGS)
        assert {one.output.file_name for one in rendered.outputs} == ALL - {"preview.webp"}
        assert rendered.warnings == (
            "preview.webp was left out: this ffmpeg has no libwebp_anim; install a whole one: "
            "pip install 'imageio-ffmpeg>=0.8' or apt-get install ffmpeg",
        )
        assert rendered.failures == ()

    def test_by_this_ffmpeg_though_required(
        self, clips: Callable[[str], Path], binaries: Binaries, tmp_path: Path
    ) -> None:
        outputs = [*MASTER, Output(preset="preview", required=True)]
        rendered = render(
            verified(clips("plain"), binaries), outputs, tmp_path, self.poor(tmp_path, binaries), SETTINGS
        )
        assert [one.output.file_name for one in rendered.outputs] == ["master.mp4"]
        (failure,) = rendered.failures
        assert isinstance(failure, OutputError)
        assert isinstance(failure.__cause__, FFmpegMissingError)
        assert not failure.retryable
        assert "imageio-ffmpeg>=0.8" in str(failure)

    @pytest.mark.parametrize("fault", ["echo no luck >&2; exit 1", "kill -SEGV $$", "exit 0"])
    @pytest.mark.parametrize("required", [False, True])
    def test_because_ffmpeg_fails(
        self, clips: Callable[[str], Path], binaries: Binaries, tmp_path: Path, fault: str, required: bool
    ) -> None:
        program = tmp_path / "ffmpeg"
        program.write_text(f'#!/bin/sh\ncase "$*" in *bad.mp4*) {fault};; esac\nexec "{binaries.ffmpeg}" "$@"\n')
        program.chmod(0o755)
        bad = Output(preset="web", name="bad", required=required, width=64)
        rendered = render(
            verified(clips("plain"), binaries),
            [*DEFAULT, bad],
            tmp_path,
            Binaries(str(program)),
            SETTINGS,
            measures=["black"],
        )
        assert {one.output.file_name for one in rendered.outputs} == ALL
        assert rendered.findings.black == ()
        assert rendered.findings.damaged is False
        told = [*rendered.warnings, *(failure.message for failure in rendered.failures)]
        assert len(told) == 1
        assert told[0].startswith("bad.mp4 was left out: ffmpeg")
        assert len(rendered.failures) == required

    def test_one_by_one_nothing_goes_on_when_ffmpeg_was_ended(
        self, clips: Callable[[str], Path], binaries: Binaries, tmp_path: Path
    ) -> None:
        """The pass with two outputs fails, the one with the first of them is killed."""
        program = tmp_path / "ffmpeg"
        both, first = "*a.mp4*b.mp4*) exit 1;;", "*a.mp4*) kill -TERM $$;;"
        program.write_text(f'#!/bin/sh\ncase "$*" in {both} {first} esac\nexec "{binaries.ffmpeg}" "$@"\n')
        program.chmod(0o755)
        outputs = [Output(preset="web", name=name) for name in ("a", "b")]
        with pytest.raises(FFmpegError, match="ended with -15"):
            render(verified(clips("plain"), binaries), outputs, tmp_path, Binaries(str(program)), SETTINGS)
        assert not (tmp_path / "b" / "b.mp4").exists()

    @pytest.mark.parametrize("fault", ["kill -TERM $$", "kill -KILL $$", "exit 255"])
    def test_nothing_is_tried_again_when_ffmpeg_was_ended(
        self, clips: Callable[[str], Path], binaries: Binaries, tmp_path: Path, fault: str
    ) -> None:
        program = tmp_path / "ffmpeg"
        program.write_text(f"#!/bin/sh\necho run >> {tmp_path}/runs\n{fault}\n")
        program.chmod(0o755)
        media = verified(clips("plain"), binaries)
        with pytest.raises(FFmpegError, match="ended with"):
            render(media, [Output(preset="master")], tmp_path, FakeFeatures(str(program), binaries), SETTINGS)
        assert (tmp_path / "runs").read_text() == "run\n"

    @pytest.mark.parametrize(
        ("output", "words"),
        [
            (Output(preset="web", trim=Trim(start=9)), "`trim.start` is 9 s, but the video lasts 2 s"),
            (Output(preset="web", width=7680), "7680x4320 is larger than the limit"),
        ],
    )
    def test_of_this_source(
        self, clips: Callable[[str], Path], binaries: Binaries, tmp_path: Path, output: Output, words: str
    ) -> None:
        settings = replace(SETTINGS, max_pixels=7680 * 4320 - 1)
        rendered = render(verified(clips("plain"), binaries), [*MASTER, output], tmp_path, binaries, settings)
        assert [one.output.file_name for one in rendered.outputs] == ["master.mp4"]
        assert words in rendered.warnings[0]


class FakeFeatures(Binaries):
    """A program that cannot be asked for its features."""

    def __init__(self, ffmpeg: str, real: Binaries) -> None:
        super().__init__(ffmpeg)
        object.__setattr__(self, "_real", real)

    @property
    def features(self) -> Features:
        return self._real.features  # type: ignore[attr-defined,no-any-return]


class TestDamage:
    """Damage behind the last frame that an output uses is found in the same pass."""

    @pytest.fixture
    def damaged(self, clips: Callable[[str], Path], tmp_path: Path) -> Path:
        data = bytearray(clips("moov_last").read_bytes())
        boxes = data.index(b"moov")
        data[boxes - 12000 : boxes - 8000] = bytes(value ^ 0x55 for value in data[boxes - 12000 : boxes - 8000])
        path = tmp_path / "damaged.mp4"
        path.write_bytes(data)
        return path

    def test_is_an_error(self, damaged: Path, binaries: Binaries, tmp_path: Path) -> None:
        with pytest.raises(VerificationError, match="does not decode"):
            render(verified(damaged, binaries), MASTER, tmp_path, binaries, SETTINGS)

    @pytest.mark.parametrize(("decode", "found"), [("warn", True), ("off", None)])
    def test_or_is_accepted(
        self, damaged: Path, binaries: Binaries, tmp_path: Path, decode: Any, found: bool | None
    ) -> None:
        rendered = render(verified(damaged, binaries), DEFAULT, tmp_path, binaries, SETTINGS, decode=decode)
        assert {one.output.file_name for one in rendered.outputs} == ALL
        assert rendered.findings.damaged is found


def test_outputs_that_ffmpeg_did_not_write_are_missed(
    clips: Callable[[str], Path], binaries: Binaries, tmp_path: Path
) -> None:
    lazy = tmp_path / "ffmpeg"
    lazy.write_text("#!/bin/sh\nexit 0\n")
    lazy.chmod(0o755)
    rendered = render(verified(clips("plain"), binaries), MASTER, tmp_path, FakeFeatures(str(lazy), binaries), SETTINGS)
    assert rendered.outputs == ()
    assert "wrote no master.mp4" in rendered.failures[0].message


def test_progress_goes_from_nothing_to_all(clips: Callable[[str], Path], binaries: Binaries, tmp_path: Path) -> None:
    seen: list[float] = []
    media = verified(clips("plain"), binaries)
    render(media, DEFAULT, tmp_path, binaries, SETTINGS, on_progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(1, abs=0.05)


@given(st.tuples(st.integers(1, 9000), st.integers(1, 9000)), st.sampled_from([(480, 4096), (320, 320), (1280, 720)]))
def test_sizes_fit_their_box_with_even_sides(size: tuple[int, int], box: tuple[int, int]) -> None:
    width, height = fit(size, box)
    assert width % 2 == height % 2 == 0
    assert 2 <= width <= box[0]
    assert 2 <= height <= box[1]


def test_a_plan_that_needs_nothing_of_ffmpeg_does_not_run_it(
    clips: Callable[[str], Path], binaries: Binaries, tmp_path: Path
) -> None:
    late = Output(preset="web", trim=Trim(start=9))
    rendered = render(verified(clips("plain"), binaries), [late], tmp_path, binaries, SETTINGS, decode="off")
    assert (rendered.outputs, rendered.findings.damaged) == ((), None)
