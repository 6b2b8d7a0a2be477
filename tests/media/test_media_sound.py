from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import ffmpeg
import pytest
from media_measures import ffmpeg as run_ffmpeg
from media_measures import loudness, samples, tone

from airflow_provider_klingvideo.media import FilmError
from airflow_provider_klingvideo.media.decor.sound import Loudness, Music, Voice, measured, normalised, silence
from airflow_provider_klingvideo.media.ffmpeg.binaries import Binaries

SECONDS = 4.0
SPEECH, TUNE = 1000, 200


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of silence, two of a tone."""
    path = tmp_path_factory.mktemp("sounds") / "speech.wav"
    source = f"sine=frequency={SPEECH}:duration=2:sample_rate=48000,volume=6dB,adelay=2000"
    run_ffmpeg("-f", "lavfi", "-i", source, "-ac", 2, path)
    return path


@pytest.fixture(scope="module")
def tune(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One second of another tone, at another rate."""
    path = tmp_path_factory.mktemp("sounds") / "tune.mp3"
    run_ffmpeg("-f", "lavfi", "-i", f"sine=frequency={TUNE}:duration=1:sample_rate=22050,volume=6dB", path)
    return path


def made(stream: Any, binaries: Binaries, target: Path) -> Path:
    output = ffmpeg.output(stream, str(target), acodec="pcm_s16le")
    argv = ffmpeg.compile(output, cmd=[binaries.ffmpeg, "-v", "error", "-nostdin", "-y"])
    subprocess.run(argv, check=True, timeout=60)
    return target


def opened(path: Path) -> Any:
    return ffmpeg.input(str(path))["a:0"]


class TestMusic:
    def test_gives_way_to_speech(self, speech: Path, tune: Path, binaries: Binaries, tmp_path: Path) -> None:
        music = Music(file=str(tune), volume=1, fade_in=0, fade_out=0)
        mixed = made(music.apply(opened(speech), SECONDS), binaries, tmp_path / "mixed.wav")
        alone, below = tone(mixed, TUNE, 1), tone(mixed, TUNE, 3)
        assert alone - below > 6
        assert tone(mixed, SPEECH, 3) == pytest.approx(tone(speech, SPEECH, 3), abs=1)

    def test_stays_where_that_is_not_wanted(self, speech: Path, tune: Path, binaries: Binaries, tmp_path: Path) -> None:
        music = Music(file=str(tune), volume=1, fade_in=0, fade_out=0, ducking=False)
        mixed = made(music.apply(opened(speech), SECONDS), binaries, tmp_path / "mixed.wav")
        assert tone(mixed, TUNE, 1) == pytest.approx(tone(mixed, TUNE, 3), abs=1.5)

    def test_is_repeated_for_as_long_as_the_film_lasts_and_fades(
        self, tune: Path, binaries: Binaries, tmp_path: Path
    ) -> None:
        music = Music(file=str(tune), volume=0.5, fade_in=0.5, fade_out=0.5)
        path = made(music.apply(silence(SECONDS), SECONDS), binaries, tmp_path / "music.wav")
        assert len(samples(path, 0, 60)) == SECONDS * 8000
        loud = [tone(path, TUNE, at, 0.2) for at in (0.02, 1.2, 2.4, 3.78)]
        assert min(loud[1:3]) - max(loud[0], loud[3]) > 6
        assert loud[1] == pytest.approx(tone(tune, TUNE, 0.3, 0.2) - 6 - 3, abs=1)

    def test_is_as_long_as_a_film_shorter_than_its_fades(self, tune: Path, binaries: Binaries, tmp_path: Path) -> None:
        path = made(Music(file=str(tune)).apply(silence(0.5), 0.5), binaries, tmp_path / "music.wav")
        assert len(samples(path, 0, 60)) == 4000


def test_a_voice_begins_in_its_time_and_is_cut_with_the_film(
    speech: Path, tune: Path, binaries: Binaries, tmp_path: Path
) -> None:
    voice = Voice(file=str(tune), start=3.5, volume=0.5)
    mixed = made(voice.apply(opened(speech), SECONDS), binaries, tmp_path / "mixed.wav")
    assert len(samples(mixed, 0, 60)) == SECONDS * 8000
    assert tone(mixed, TUNE, 3.6, 0.3) - tone(mixed, TUNE, 3.0, 0.3) > 20


@pytest.mark.parametrize("block", [Music, Voice])
def test_what_is_no_sound_is_refused(block: Any, tmp_path: Path) -> None:
    evil = tmp_path / "music.mp3"
    evil.write_text("#EXTM3U\nhttp://127.0.0.1/a.ts\n")
    with pytest.raises(FilmError, match=r"no .* file; it begins with '#EXTM3U"):
        block(file=str(evil)).apply(silence(1), 1)


class TestLoudness:
    def measured(self, stream: Any, binaries: Binaries, target: float) -> Loudness:
        argv = ffmpeg.compile(measured(stream, target), cmd=[binaries.ffmpeg, "-nostdin", "-hide_banner"])
        done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60)
        return Loudness.from_lines(done.stderr.splitlines())

    @pytest.mark.parametrize("target", [-14.0, -23.0])
    @pytest.mark.parametrize("volume", ["-30dB", "0dB", "16dB"])
    def test_comes_within_one_unit_of_the_target(
        self, binaries: Binaries, tmp_path: Path, target: float, volume: str
    ) -> None:
        path = tmp_path / "any.wav"
        source = f"sine=frequency=500:duration=4:sample_rate=48000,volume={volume}"
        run_ffmpeg("-f", "lavfi", "-i", source, "-ac", 2, path)
        found = self.measured(opened(path), binaries, target)
        assert loudness(made(normalised(opened(path), target, found), binaries, tmp_path / "out.wav")) == pytest.approx(
            target, abs=1
        )

    def test_silence_stays_silence(self, binaries: Binaries, tmp_path: Path) -> None:
        found = self.measured(silence(1), binaries, -14)
        assert found.is_silence
        path = made(normalised(silence(1), -14, found), binaries, tmp_path / "out.wav")
        assert set(samples(path, 0, 60)) == {0}

    def test_lines_without_a_measure_are_told(self) -> None:
        with pytest.raises(FilmError, match="could not be measured"):
            Loudness.from_lines(["nothing", "{", "}"])
