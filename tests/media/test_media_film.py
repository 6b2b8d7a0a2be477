from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from media_measures import brightness, frame_count, frame_times, loudness, packets, samples, tone
from media_measures import ffmpeg as run_ffmpeg

from airflow_provider_klingvideo.media import Clip, Film, FilmError, FilmPlan, MediaSettings, probe
from airflow_provider_klingvideo.media import assemble as assemble_film
from airflow_provider_klingvideo.media.errors import FFmpegError, FFmpegMissingError
from airflow_provider_klingvideo.media.ffmpeg.binaries import Binaries
from airflow_provider_klingvideo.storage.errors import StorageError
from airflow_provider_klingvideo.storage.objects import shutil as storage_shutil

H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
MEDIUM = ("-c:v", "libx264", "-pix_fmt", "yuv420p")
GREY = "color=0x{level:02x}{level:02x}{level:02x}:size={size}:rate={rate}:duration={seconds}"


@pytest.fixture(scope="module")
def shoot(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Makes clips of one brightness each, with a tone or without."""
    folder = tmp_path_factory.mktemp("shots")

    def shoot(
        level: int = 128,
        *,
        size: str = "160x90",
        rate: int = 25,
        seconds: float = 1.0,
        hertz: int = 0,
        options: tuple[str, ...] = H264,
    ) -> Path:
        path = folder / f"{level}-{size}-{rate}-{seconds}-{hertz}-{''.join(options)}.mp4"
        if not path.exists():
            sound = ("-f", "lavfi", "-i", f"sine=frequency={hertz}:duration={seconds}", "-c:a", "aac") if hertz else ()
            picture = GREY.format(level=level, size=size, rate=rate, seconds=seconds)
            run_ffmpeg("-f", "lavfi", "-i", picture, *sound[:4], *options, *sound[4:], path)
        return path

    return shoot


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    path = tmp_path / "scratch"
    path.mkdir()
    return path


@pytest.fixture
def assemble(tmp_path: Path, scratch: Path) -> Callable[..., Film]:
    """Makes a film of paths in the folder ``film``."""

    def assemble(*paths: Path, settings: MediaSettings | None = None, timeout: float = 60, **plan: Any) -> Film:
        chosen = replace(settings or MediaSettings(), scratch_dir=str(scratch))
        film = assemble_film(
            [Clip(path) for path in paths], FilmPlan.parse(plan), tmp_path / "film", settings=chosen, timeout=timeout
        )
        assert list(scratch.iterdir()) == []
        return film

    return assemble


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return tmp_path / "film" / "film.mp4"


@pytest.fixture
def spy(tmp_path: Path, binaries: Binaries) -> tuple[MediaSettings, Path]:
    """An ffmpeg that keeps what it was asked for, and that list."""
    log, script = tmp_path / "calls.txt", tmp_path / "ffmpeg"
    script.write_text(f'#!/bin/sh\necho "$$ $*" >> {log}\nexec {binaries.ffmpeg} "$@"\n')
    script.chmod(0o755)
    return MediaSettings(ffmpeg_path=str(script)), log


class TestCopying:
    def test_clips_alike_are_joined_packet_by_packet(
        self, assemble: Callable[..., Film], shoot: Callable[..., Path], film: Path, binaries: Binaries
    ) -> None:
        clips = [shoot(level, hertz=hertz) for level, hertz in ((50, 300), (200, 600), (120, 900))]
        assert assemble(*clips).copied
        assert packets(film) == [packet for clip in clips for packet in packets(clip)]
        found = probe(film, binaries)
        assert (found.width, found.height, found.fps, found.audio_codec) == (160, 90, 25, "aac")
        assert frame_times(film) == pytest.approx([index / 25 for index in range(75)], abs=0.001)
        # Every shot is heard with its own sound, to the end.
        for index, hertz in enumerate((300, 600, 900)):
            assert tone(film, hertz, index + 0.05, 0.9) > tone(film, 300 + (hertz % 900), index + 0.05, 0.9) + 20

    def test_frames_that_refer_to_later_ones_stay_in_order(
        self, assemble: Callable[..., Film], shoot: Callable[..., Path], film: Path
    ) -> None:
        options = ("-c:v", "libx264", "-bf", "3", "-g", "10", "-pix_fmt", "yuv420p")
        clips = [shoot(level, options=options) for level in (50, 200)]
        assert assemble(*clips).copied
        assert packets(film) == packets(clips[0]) + packets(clips[1])
        times = frame_times(film)
        assert times == pytest.approx([times[0] + index / 25 for index in range(50)], abs=0.001)

    def test_a_clip_may_come_twice_and_in_any_order(
        self, assemble: Callable[..., Film], shoot: Callable[..., Path], film: Path
    ) -> None:
        assemble(shoot(50), shoot(200), order=[2, 1, 2])
        assert [brightness(film, at=at)[0] // 50 for at in (0.5, 1.5, 2.5)] == [4, 1, 4]

    @pytest.mark.parametrize("other", [{"size": "160x120"}, {"rate": 30}, {"options": MEDIUM}])
    def test_what_is_not_alike_is_encoded(
        self, assemble: Callable[..., Film], shoot: Callable[..., Path], film: Path, other: Any, binaries: Binaries
    ) -> None:
        assert not assemble(shoot(), shoot(200, **other)).copied
        found = probe(film, binaries)
        assert (found.width, found.height, found.fps, frame_count(film)) == (160, 90, 25, 50)


class TestEncoding:
    def test_other_shapes_get_bars(
        self, assemble: Callable[..., Film], shoot: Callable[..., Path], film: Path, binaries: Binaries
    ) -> None:
        assemble(shoot(200), shoot(200, size="90x160", rate=30), size="320x180", fps=24)
        found = probe(film, binaries)
        assert (found.width, found.height, found.fps, found.pixel_format) == (320, 180, 24, "yuv420p")
        assert min(brightness(film, at=0.5, columns=9)) > 150
        columns = brightness(film, at=1.5, columns=9)
        assert max(columns[:2] + columns[-2:]) < 30
        assert columns[4] > 150

    def test_a_rotated_clip_stands_upright(
        self, assemble: Callable[..., Film], rotated: Path, film: Path, binaries: Binaries
    ) -> None:
        assert not assemble(rotated).copied
        found = probe(film, binaries)
        assert (found.width, found.height, found.rotation) == (180, 320, 0)

    def test_wide_pixels_become_square_ones(
        self, assemble: Callable[..., Film], film: Path, tmp_path: Path, binaries: Binaries
    ) -> None:
        wide = tmp_path / "wide.mp4"
        run_ffmpeg("-f", "lavfi", "-i", "color=white:size=80x90:rate=25:duration=0.4,setsar=2", *H264, wide)
        assemble(wide)
        found = probe(film, binaries)
        assert (found.width, found.height) == (160, 90)
        assert min(brightness(film, at=0.2, columns=8, rows=8)) > 200

    def test_pixels_that_are_nearly_square_count_as_such(
        self, assemble: Callable[..., Film], film: Path, tmp_path: Path, binaries: Binaries
    ) -> None:
        clip = tmp_path / "nearly.mp4"
        run_ffmpeg("-f", "lavfi", "-i", "color=white:size=214x120:rate=25:duration=0.4,setsar=320/321", *H264, clip)
        assert assemble(clip).copied
        assert probe(film, binaries).width == 214

    def test_clips_without_sound_are_silent_between_those_with(
        self, assemble: Callable[..., Film], shoot: Callable[..., Path], film: Path
    ) -> None:
        assemble(shoot(hertz=500), shoot(size="90x160"), shoot(hertz=700), loudness="keep")
        assert tone(film, 500, 0.3) > -40
        assert max(map(abs, samples(film, 1.2, 0.6))) < 50
        assert tone(film, 700, 2.3) > -40

    def test_no_sound_at_all_makes_no_track(
        self, assemble: Callable[..., Film], shoot: Callable[..., Path], film: Path, binaries: Binaries
    ) -> None:
        assemble(shoot(50), shoot(200), transition="fade")
        assert probe(film, binaries).audio_codec is None

    def test_transitions_overlap_pictures_and_sound(
        self, assemble: Callable[..., Film], shoot: Callable[..., Path], film: Path, binaries: Binaries
    ) -> None:
        clips = [shoot(level, hertz=hertz, seconds=1.6) for level, hertz in ((20, 300), (220, 700), (20, 300))]
        made = assemble(*clips, transition={"kind": "fade", "seconds": 0.4}, loudness="keep")
        assert not made.copied
        assert frame_count(film) == 3 * 40 - 2 * 10
        assert probe(film, binaries).duration == pytest.approx(4.0, abs=0.05)
        levels = [brightness(film, at=at)[0] for at in (0.6, 1.4, 2.0, 2.6, 3.4)]
        assert levels == pytest.approx([20, 120, 220, 120, 20], abs=25)
        quiet, rising, full = (tone(film, 700, at, 0.1) for at in (0.9, 1.35, 2.0))
        assert quiet < rising < full

    @pytest.mark.parametrize("kind", ["dissolve", "wipeleft", "circleopen", "fadeblack"])
    def test_every_kind_of_transition_is_one_of_ffmpegs(
        self, assemble: Callable[..., Film], shoot: Callable[..., Path], film: Path, kind: str
    ) -> None:
        assemble(shoot(20), shoot(220), transition={"kind": kind, "seconds": 0.4})
        assert frame_count(film) == 40

    def test_a_shot_that_is_too_short_is_named(self, assemble: Callable[..., Film], shoot: Callable[..., Path]) -> None:
        with pytest.raises(FilmError, match=r"Shot 2 lasts 1\.00 s, which is too short"):
            assemble(shoot(seconds=2.0), shoot(), shoot(seconds=2.0), transition={"kind": "fade", "seconds": 0.6})

    def test_no_run_opens_more_than_two_clips_however_many_there_are(
        self, assemble: Callable[..., Film], shoot: Callable[..., Path], film: Path, spy: tuple[MediaSettings, Path]
    ) -> None:
        settings, log = spy
        clips = [shoot(20 * index, hertz=400, seconds=0.4) for index in range(1, 9)]
        assemble(*clips, settings=settings, transition={"kind": "fade", "seconds": 0.08})
        opened = [len(re.findall(r"-i file:\S+/clip-\d+\.mp4", line)) for line in log.read_text().splitlines()]
        assert max(opened) == 2
        assert frame_count(film) == 8 * 10 - 7 * 2


@pytest.mark.parametrize(("transition", "clap"), [("cut", 1.6 + 0.8), ({"kind": "fade", "seconds": 0.4}, 1.2 + 0.8)])
def test_pictures_and_sound_stay_together(
    assemble: Callable[..., Film], shoot: Callable[..., Path], film: Path, tmp_path: Path, transition: Any, clap: float
) -> None:
    clapper = tmp_path / "clapper.mp4"
    picture = "color=black:size=160x90:rate=25:duration=1.6,drawbox=color=white:t=fill:enable='gte(t,0.8)'"
    sound = "sine=frequency=700:duration=1.6,volume=0:enable='lt(t,0.8)'"
    inputs = ("-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound)
    run_ffmpeg(*inputs, *H264, "-c:a", "aac", clapper)
    beside = shoot(20, seconds=1.6, hertz=300)
    assemble(beside, clapper, beside, transition=transition, loudness="keep")
    assert brightness(film, at=clap - 0.06)[0] < 60 < 200 < brightness(film, at=clap + 0.02)[0]
    assert tone(film, 700, clap - 0.25, 0.2) < -50
    assert tone(film, 700, clap + 0.03, 0.2) > -25


class TestOverlaysAndSound:
    def test_the_title_is_seen_on_the_opening_and_not_in_a_command(
        self, assemble: Callable[..., Film], shoot: Callable[..., Path], film: Path, spy: tuple[MediaSettings, Path]
    ) -> None:
        settings, log = spy
        assemble(shoot(128), shoot(128, seconds=2.0), settings=settings, title={"text": "SECRET FOX", "end": 1.4})
        # It goes on into the second shot, by the time of the film.
        shown = [max(brightness(film, at=at, columns=40, rows=30)) > 150 for at in (0.4, 1.2, 1.6, 2.6)]
        assert shown == [True, True, False, False]
        assert "SECRET" not in log.read_text()

    def test_music_and_loudness_leave_the_pictures_alone(
        self, assemble: Callable[..., Film], shoot: Callable[..., Path], film: Path, tmp_path: Path
    ) -> None:
        music = tmp_path / "music.wav"
        run_ffmpeg("-f", "lavfi", "-i", "sine=frequency=200:duration=1", music)
        clips = [shoot(50, seconds=2.0), shoot(200, seconds=2.0)]
        assert assemble(*clips, music=str(music)).copied
        assert packets(film) == packets(clips[0]) + packets(clips[1])
        assert loudness(film) == pytest.approx(-14, abs=1)
        assert len(samples(film, 0, 60)) == pytest.approx(4 * 8000, abs=200)

    def test_subtitles_become_a_track(
        self, assemble: Callable[..., Film], shoot: Callable[..., Path], film: Path, tmp_path: Path, binaries: Binaries
    ) -> None:
        srt = tmp_path / "words.srt"
        srt.write_text("1\n00:00:00,200 --> 00:00:00,800\nThe fox\n")
        assert assemble(shoot(50), shoot(200), subtitles={"file": str(srt), "mode": "mux", "language": "eng"}).copied
        done = subprocess.run([binaries.ffmpeg, "-i", str(film)], capture_output=True, text=True, check=False)
        assert re.search(r"\(eng\): Subtitle: mov_text", done.stderr)
        assert b"00:00:00,200 --> 00:00:00,800" in run_ffmpeg("-i", film, "-f", "srt", "-").stdout


@pytest.mark.parametrize("plan", [{}, {"transition": "fade"}])
def test_the_label_of_what_a_machine_made_stays(
    assemble: Callable[..., Film], shoot: Callable[..., Path], film: Path, tmp_path: Path, plan: Any, binaries: Binaries
) -> None:
    label = r'{"Label":"1","ContentProducer":"a;b=c#d\\e"}'
    labelled = tmp_path / "labelled.mp4"
    mark = ("-movflags", "+use_metadata_tags", "-metadata", f"AIGC={label}", "-metadata", "title=secret prompt")
    run_ffmpeg("-i", shoot(50), "-c", "copy", *mark, labelled)
    assemble(shoot(200), labelled, **plan)
    done = subprocess.run([binaries.ffmpeg, "-i", str(film)], capture_output=True, text=True, check=False)
    assert f": {label}" in done.stderr
    assert "secret prompt" not in done.stderr


class TestStore:
    def test_tells_what_the_film_is_made_of(
        self, shoot: Callable[..., Path], tmp_path: Path, film: Path, binaries: Binaries
    ) -> None:
        clips = [Clip(shoot(50), origin="job-1"), Clip(shoot(200))]
        made = assemble_film(clips, FilmPlan(), film.parent)
        stored = json.loads((film.parent / "film.json").read_text())
        assert stored == made.model_dump(mode="json")
        assert [clip["origin"] for clip in stored["clips"]] == ["job-1", None]
        assert {path.name for path in film.parent.iterdir()} == {"film.mp4", "poster.jpg", "film.json"}
        artifact = made.artifacts["film.mp4"]
        assert (artifact.width, artifact.height, artifact.size) == (160, 90, film.stat().st_size)

    def test_the_same_film_is_kept(self, assemble: Callable[..., Film], shoot: Callable[..., Path], film: Path) -> None:
        assemble(shoot(50), shoot(200))
        before = film.stat().st_mtime_ns
        assemble(shoot(50), shoot(200))
        assert film.stat().st_mtime_ns == before
        assemble(shoot(50), shoot(200), transition="fade")
        assert film.stat().st_mtime_ns != before

    @pytest.mark.parametrize("name", ["film.mp4", "poster.jpg", "film.json"])
    def test_a_damaged_one_is_made_anew(
        self, assemble: Callable[..., Film], shoot: Callable[..., Path], film: Path, name: str
    ) -> None:
        made = assemble(shoot(50), shoot(200))
        (film.parent / name).write_bytes(b"{}")
        assert assemble(shoot(50), shoot(200)).fingerprint == made.fingerprint
        assert frame_count(film) == 50

    def test_a_record_that_names_files_elsewhere_is_none(
        self, assemble: Callable[..., Film], shoot: Callable[..., Path], film: Path
    ) -> None:
        assemble(shoot(50))
        other = film.parent.with_name("other.mp4")
        film.rename(other)
        record = json.loads((film.parent / "film.json").read_text())
        record["artifacts"]["../other.mp4"] = record["artifacts"].pop("film.mp4") | {"name": "../other.mp4"}
        (film.parent / "film.json").write_text(json.dumps(record))
        made = assemble(shoot(50))
        assert set(made.artifacts) == {"film.mp4", "poster.jpg"}
        assert film.exists()

    def test_a_film_that_was_moved_is_found_where_it_lies(
        self, shoot: Callable[..., Path], film: Path, tmp_path: Path
    ) -> None:
        clips = [Clip(shoot(50))]
        assemble_film(clips, FilmPlan(), film.parent)
        film.parent.rename(tmp_path / "moved")
        again = assemble_film(clips, FilmPlan(), tmp_path / "moved")
        assert again.artifacts["film.mp4"].path == str(tmp_path / "moved" / "film.mp4")

    def test_the_record_takes_texts_of_any_origin(self, shoot: Callable[..., Path], film: Path) -> None:
        assemble_film([Clip(shoot(50), origin="job\ud800\0")], FilmPlan(), film.parent)
        assert json.loads((film.parent / "film.json").read_text())["clips"][0]["origin"] == "job\ufffd\u2400"

    def test_other_music_under_the_same_name_is_another_film(
        self, assemble: Callable[..., Film], shoot: Callable[..., Path], tmp_path: Path
    ) -> None:
        music, prints = tmp_path / "music.wav", set()
        for hertz in (200, 300):
            run_ffmpeg("-f", "lavfi", "-i", f"sine=frequency={hertz}:duration=1", music)
            prints.add(assemble(shoot(), music=str(music)).fingerprint)
        assert len(prints) == 2

    def test_a_clip_that_is_not_the_recorded_one_is_refused(self, shoot: Callable[..., Path], tmp_path: Path) -> None:
        with pytest.raises(FilmError, match=r"Clip 1, .* is not the file that is on record"):
            assemble_film([Clip(shoot(), sha256="0" * 64)], FilmPlan(), tmp_path / "film")
        assert not (tmp_path / "film").exists()


class TestUntrustedClips:
    @pytest.mark.parametrize("text", ["ffconcat version 1.0\nfile /etc/passwd\n", "#EXTM3U\n#EXTINF:1,\n/etc/passwd\n"])
    def test_a_playlist_is_no_clip(
        self, assemble: Callable[..., Film], shoot: Callable[..., Path], tmp_path: Path, text: str, film: Path
    ) -> None:
        evil = tmp_path / "evil.mp4"
        evil.write_text(text)
        with pytest.raises(FilmError, match=r"Clip 2, .*evil\.mp4, cannot be used: This is no MP4 file"):
            assemble(shoot(), evil)
        assert not film.parent.exists()

    def test_a_huge_picture_is_not_decoded(self, assemble: Callable[..., Film], shoot: Callable[..., Path]) -> None:
        with pytest.raises(FilmError, match=r"Clip 1, .*160x90 is not decoded \(limit: 1000 pixels\)"):
            assemble(shoot(), settings=MediaSettings(max_pixels=1000))

    def test_a_huge_film_is_not_made(self, assemble: Callable[..., Film], shoot: Callable[..., Path]) -> None:
        with pytest.raises(FilmError, match=r"A film of 8192x8192 is not made"):
            assemble(shoot(), size="8192x8192")

    @pytest.mark.parametrize(
        ("plan", "words"),
        [
            ({"transition": "fade"}, "Transition needs the ffmpeg filter acrossfade and xfade"),
            ({"title": "Fox"}, "Title needs the ffmpeg filter drawtext"),
            ({"music": __file__}, "Music needs the ffmpeg filter sidechaincompress"),
        ],
    )
    def test_what_this_ffmpeg_lacks_is_named_first(
        self,
        assemble: Callable[..., Film],
        shoot: Callable[..., Path],
        tmp_path: Path,
        binaries: Binaries,
        plan: Any,
        words: str,
    ) -> None:
        poor = tmp_path / "ffmpeg"
        lacking = "drawtext|xfade|acrossfade|sidechaincompress"
        poor.write_text(f'#!/bin/sh\n"{binaries.ffmpeg}" "$@" | grep -vE "{lacking}"\n')
        poor.chmod(0o755)
        with pytest.raises(FFmpegMissingError, match=words):
            assemble(shoot(), settings=MediaSettings(ffmpeg_path=str(poor)), **plan)

    def test_a_truncated_clip_is_no_clip(
        self, assemble: Callable[..., Film], shoot: Callable[..., Path], tmp_path: Path
    ) -> None:
        cut = tmp_path / "cut.mp4"
        cut.write_bytes(shoot().read_bytes()[:-100])
        with pytest.raises(FilmError, match=r"Clip 1, .* truncated"):
            assemble(cut)

    def test_a_film_needs_clips_and_an_order_that_names_them(
        self, assemble: Callable[..., Film], shoot: Callable[..., Path]
    ) -> None:
        with pytest.raises(FilmError, match="at least one clip"):
            assemble()
        with pytest.raises(FilmError, match="names clip 3, but there are 1"):
            assemble(shoot(), order=[1, 3])


class TestLimits:
    def test_room_is_asked_for_before_anything_is_copied(
        self, assemble: Callable[..., Film], shoot: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, film: Path
    ) -> None:
        small = type("Usage", (), {"free": 1024})
        monkeypatch.setattr(storage_shutil, "disk_usage", lambda _folder: small)
        with pytest.raises(StorageError, match="0 MiB free"):
            assemble(shoot())
        assert not film.parent.exists()

    def test_all_runs_together_end_at_the_deadline(
        self, assemble: Callable[..., Film], shoot: Callable[..., Path], film: Path, scratch: Path
    ) -> None:
        with pytest.raises(FFmpegError, match="did not end within"):
            assemble(*[shoot(20 * index) for index in range(1, 9)], size="1280x720", timeout=1)
        assert not film.parent.exists()
        assert list(scratch.iterdir()) == []

    def test_killed_in_the_middle_it_leaves_no_ffmpeg_and_no_film(
        self,
        shoot: Callable[..., Path],
        tmp_path: Path,
        scratch: Path,
        film: Path,
        spy: tuple[MediaSettings, Path],
        assemble: Callable[..., Film],
    ) -> None:
        settings, log = spy
        code = (
            "import sys; from pathlib import Path\n"
            "from airflow_provider_klingvideo.media import Clip, FilmPlan, MediaSettings, assemble\n"
            "ffmpeg, scratch, film, clip = sys.argv[1:]\n"
            "plan = FilmPlan.parse({'size': '3840x2160', 'fps': 60})\n"
            "settings = MediaSettings(ffmpeg_path=ffmpeg, scratch_dir=scratch)\n"
            "assemble([Clip(Path(clip))] * 3, plan, Path(film), settings=settings)\n"
        )
        arguments = [str(settings.ffmpeg_path), str(scratch), str(film.parent), str(shoot(seconds=2.0))]
        with subprocess.Popen([sys.executable, "-c", code, *arguments]) as worker:
            wait_until(lambda: any(scratch.glob("*/part-0.mp4")))
            worker.send_signal(signal.SIGKILL)
        encoder = int(log.read_text().splitlines()[-1].split()[0])
        wait_until(lambda: not is_alive(encoder))
        assert not film.parent.exists()
        # The scratch space of the dead goes with the next film.
        assemble(shoot())


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
