from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_klingvideo.media import Expected, FFmpegError, MediaSettings, probe
from airflow_provider_klingvideo.media.binaries import Binaries
from airflow_provider_klingvideo.media.boxes import walk_boxes
from airflow_provider_klingvideo.media.render import DELIVERABLES, Rendered, fit, render
from airflow_provider_klingvideo.media.verify import VerifiedMedia, inspect

SETTINGS = MediaSettings(threads=1, ffmpeg_seconds=60)
ALL = {"master.mp4", "poster.jpg", "preview.webp", "contact_sheet.jpg"}


def verified(path: Path, binaries: Binaries) -> VerifiedMedia:
    return inspect(path, binaries, Expected(), SETTINGS)


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
    check_outputs(verified(rotated, binaries), binaries, tmp_path, (4, 3))
    assert probe(tmp_path / "master.mp4", binaries).rotation == 270


def check_outputs(media: VerifiedMedia, binaries: Binaries, folder: Path, grid: tuple[int, int]) -> None:
    rendered = render(media, DELIVERABLES, folder, binaries, SETTINGS)
    assert rendered.warnings == ()
    assert set(rendered.files) == ALL
    for row in DELIVERABLES[1:]:
        assert picture_size(rendered.files[row.name], binaries) == row.size(media.info)
    width, height = fit(media.info.display_size, (320, 320))
    assert DELIVERABLES[3].size(media.info) == (grid[0] * width, grid[1] * height)
    master = probe(rendered.files["master.mp4"], binaries)
    assert replace(master, duration=0, fps=0) == replace(media.info, duration=0, fps=0)
    assert master.duration == pytest.approx(media.info.duration, abs=0.05)


class TestMaster:
    def test_starts_fast_and_is_not_encoded_again(
        self, clips: Callable[[str], Path], binaries: Binaries, tmp_path: Path
    ) -> None:
        source = clips("moov_last")
        master = render(verified(source, binaries), DELIVERABLES[:1], tmp_path, binaries, SETTINGS).files["master.mp4"]
        assert walk_boxes(master).faststart
        assert not walk_boxes(source).faststart
        assert frame_hashes(master, binaries) == frame_hashes(source, binaries)

    def test_keeps_marks_of_the_source(self, clips: Callable[[str], Path], binaries: Binaries, tmp_path: Path) -> None:
        master = render(verified(clips("labelled"), binaries), DELIVERABLES[:1], tmp_path, binaries, SETTINGS)
        printed = subprocess.run(
            [binaries.ffmpeg, "-i", str(master.files["master.mp4"])], capture_output=True, text=True, check=False
        ).stderr
        assert re.search(r'AIGC +: \{"Label":"1"\}', printed)
        assert re.search(r"title +: a cat", printed)


class TestStills:
    def rendered(self, clip: Path, binaries: Binaries, folder: Path) -> Rendered:
        return render(verified(clip, binaries), DELIVERABLES, folder, binaries, SETTINGS)

    def test_a_sheet_shows_the_clip_from_beginning_to_end(self, binaries: Binaries, tmp_path: Path) -> None:
        clip = tmp_path / "brighter.mp4"
        picture = "nullsrc=size=320x180:rate=24:duration=5,geq=lum='16+200*T/5':cb=128:cr=128"
        argv = ["-v", "error", "-f", "lavfi", "-i", picture, "-pix_fmt", "yuv420p", str(clip)]
        subprocess.run([binaries.ffmpeg, *argv], check=True)
        sheet = self.rendered(clip, binaries, tmp_path).files["contact_sheet.jpg"]
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
        poster = self.rendered(clip, binaries, tmp_path).files["poster.jpg"]
        assert cell_brightness(poster, binaries, 1, 1)[0] > 200

    def test_a_jpeg_beside_it_does_not_spoil_the_preview(
        self, clips: Callable[[str], Path], binaries: Binaries, tmp_path: Path
    ) -> None:
        files = self.rendered(clips("plain"), binaries, tmp_path).files
        assert "yuvj420p(pc" in described(files["poster.jpg"], binaries)
        alone = tmp_path / "alone"
        alone.mkdir()
        row = next(row for row in DELIVERABLES if row.name == "preview.webp")
        render(verified(clips("plain"), binaries), [row], alone, binaries, SETTINGS)
        assert (alone / "preview.webp").read_bytes() == files["preview.webp"].read_bytes()


def test_an_output_that_this_ffmpeg_cannot_make_is_left_out(
    clips: Callable[[str], Path], binaries: Binaries, tmp_path: Path
) -> None:
    poor = tmp_path / "ffmpeg"
    poor.write_text(f'#!/bin/sh\n"{binaries.ffmpeg}" "$@" | grep -v libwebp\n')
    poor.chmod(0o755)
    rendered = render(verified(clips("plain"), binaries), DELIVERABLES, tmp_path, Binaries(str(poor)), SETTINGS)
    assert set(rendered.files) == ALL - {"preview.webp"}
    assert rendered.warnings == ("preview.webp was left out: this ffmpeg has no libwebp_anim",)


def test_damage_behind_the_last_used_frame_is_found_in_the_same_pass(
    clips: Callable[[str], Path], binaries: Binaries, tmp_path: Path
) -> None:
    data = bytearray(clips("moov_last").read_bytes())
    boxes = data.index(b"moov")
    data[boxes - 12000 : boxes - 8000] = bytes(value ^ 0x55 for value in data[boxes - 12000 : boxes - 8000])
    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(data)
    with pytest.raises(FFmpegError, match="ended with"):
        render(verified(damaged, binaries), DELIVERABLES[:1], tmp_path, binaries, SETTINGS)


def test_outputs_that_ffmpeg_did_not_write_are_missed(
    clips: Callable[[str], Path], binaries: Binaries, tmp_path: Path
) -> None:
    lazy = tmp_path / "ffmpeg"
    lazy.write_text("#!/bin/sh\nexit 0\n")
    lazy.chmod(0o755)
    with pytest.raises(FFmpegError, match=r"wrote no master\.mp4"):
        render(verified(clips("plain"), binaries), DELIVERABLES, tmp_path, Binaries(str(lazy)), SETTINGS)


def test_progress_goes_from_nothing_to_all(clips: Callable[[str], Path], binaries: Binaries, tmp_path: Path) -> None:
    seen: list[float] = []
    media = verified(clips("plain"), binaries)
    render(media, DELIVERABLES, tmp_path, binaries, SETTINGS, on_progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(1, abs=0.05)


@given(st.tuples(st.integers(1, 9000), st.integers(1, 9000)), st.sampled_from([(480, 4096), (320, 320), (1280, 720)]))
def test_sizes_fit_their_box_with_even_sides(size: tuple[int, int], box: tuple[int, int]) -> None:
    width, height = fit(size, box)
    assert width % 2 == height % 2 == 0
    assert 2 <= width <= box[0]
    assert 2 <= height <= box[1]
