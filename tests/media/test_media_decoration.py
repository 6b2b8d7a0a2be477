from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from media_answers import serve
from media_measures import changed, frame_times, loudness, packets, samples, tone
from media_measures import ffmpeg as run_ffmpeg
from media_probes import probed

from airflow_provider_klingvideo.media import (
    Artifact,
    Delivery,
    DownloadLimits,
    Expected,
    MediaSettings,
    OutputError,
    PlanError,
    RenderPlan,
    deliver,
)
from airflow_provider_klingvideo.media.ffmpeg.binaries import Binaries, Features
from airflow_provider_klingvideo.media.inspect.verify import inspect
from airflow_provider_klingvideo.media.outputs.render import Rendered, render

TUNE, SPEECH = 200, 1000
SRT = "1\n00:00:00,500 --> 00:00:01,000\nThe fox\n\n2\n00:01:00,000 --> 00:01:01,000\nToo late\n"
# Brightness may be a little different from one encoding to the next.
SEEN = 40


@pytest.fixture(scope="module")
def things(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of grey with half a second of sound, the same without; a logo, subtitles, a tune."""
    folder = tmp_path_factory.mktemp("things")
    grey = ("-f", "lavfi", "-i", "color=gray:size=320x180:rate=10:duration=2")
    h264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
    speech = ("-f", "lavfi", "-i", f"sine=frequency={SPEECH}:duration=0.5")
    run_ffmpeg(*grey, *speech, *h264, "-c:a", "aac", folder / "grey.mp4")
    run_ffmpeg(*grey, *h264, folder / "silent.mp4")
    run_ffmpeg("-f", "lavfi", "-i", "color=white:size=40x20,format=rgba", "-frames:v", 1, folder / "logo.png")
    run_ffmpeg("-f", "lavfi", "-i", f"sine=frequency={TUNE}:duration=0.7:sample_rate=22050", folder / "tune.mp3")
    (folder / "words.srt").write_text(SRT)
    (folder / "bad.png").write_text("ffconcat version 1.0\nfile /etc/passwd\n")
    return folder


@pytest.fixture
def make(things: Path, binaries: Binaries, tmp_path: Path) -> Callable[..., Rendered]:
    """Renders outputs of a clip; names of things stand for their files."""

    def make(clip: str, *outputs: dict[str, Any] | str, binaries: Binaries = binaries, **options: Any) -> Rendered:
        settings = MediaSettings(threads=1, ffmpeg_seconds=60)
        plan = RenderPlan.parse(list(outputs))
        found = [one.with_files({name: str(things / name) for name in one.files}) for one in plan.outputs]
        return render(
            inspect(things / clip, binaries, Expected(), settings),
            found,
            tmp_path / "out",
            binaries,
            settings,
            **options,
        )

    return make


@pytest.fixture
def spied(tmp_path: Path, binaries: Binaries) -> tuple[Binaries, Path]:
    """An ffmpeg that keeps what it was asked for, and that list."""
    log, script = tmp_path / "calls.txt", tmp_path / "ffmpeg"
    script.write_text(f'#!/bin/sh\necho "$$ $*" >> {log}\nexec {binaries.ffmpeg} "$@"\n')
    script.chmod(0o755)
    return Binaries(str(script)), log


class Poor(Binaries):
    """An ffmpeg that says it has no filter to draw texts."""

    @property
    def features(self) -> Features:
        real = super().features
        return Features(real.encoders, real.filters - {"drawtext"})


def files(rendered: Rendered) -> dict[str, Path]:
    assert (rendered.warnings, rendered.failures) == ((), ())
    assert all(one.others == () for one in rendered.outputs)
    return {one.output.file_name: one.main for one in rendered.outputs}


def grey_frames(path: Path, binaries: Binaries) -> tuple[int, list[bytes]]:
    """Width, and the brightness of every pixel of every frame."""
    width, height = probed(path, binaries).size
    raw = run_ffmpeg("-i", path, "-an", "-vf", "format=gray", "-f", "rawvideo", "-").stdout
    return width, [raw[at : at + width * height] for at in range(0, len(raw), width * height)]


def bright(frame: bytes, width: int) -> set[tuple[int, int]]:
    """Where a grey picture is far from grey."""
    seen = bytes(0 if abs(value - frame[len(frame) // 2]) < SEEN else 1 for value in frame)
    return set(changed(bytes(len(frame)), seen, width))


def sound_packets(path: Path) -> list[str]:
    return run_ffmpeg("-i", path, "-map", "0:a", "-c", "copy", "-f", "framehash", "-").stdout.decode().splitlines()[5:]


class TestPictures:
    def test_only_the_output_that_carries_them_shows_logo_and_caption(
        self, make: Callable[..., Rendered], things: Path, binaries: Binaries
    ) -> None:
        reel = {"preset": "web", "name": "reel", "aspect": "9:16", "fit": "blur"}
        carried = {"logo": {"file": "logo.png", "width": 0.5}, "captions": [{"text": "fox", "start": 0.5, "end": 1}]}
        plain = files(make("grey.mp4", "master", "poster", reel))["poster.jpg"].read_bytes()
        made = files(make("grey.mp4", "master", "poster", {**reel, **carried}))
        assert packets(made["master.mp4"]) == packets(things / "grey.mp4")
        assert sound_packets(made["master.mp4"]) == sound_packets(things / "grey.mp4")
        assert made["poster.jpg"].read_bytes() == plain
        width, frames = grey_frames(made["reel.mp4"], binaries)
        height = len(frames[0]) // width
        assert (width, height) == (180, 320)
        for index, frame in enumerate(frames):
            places = bright(frame, width)
            logo = {(x, y) for x, y in places if y < height // 4}
            assert len(logo) == pytest.approx(90 * 45, rel=0.05)
            assert min(x for x, _ in logo) > width // 3
            assert bool(places - logo) == (5 <= index < 10)
            assert all(y > height * 3 // 4 for _, y in places - logo)

    def test_a_logo_keeps_its_colour_over_pictures_without_tags(
        self, make: Callable[..., Rendered], things: Path
    ) -> None:
        run_ffmpeg("-f", "lavfi", "-i", "color=red:size=40x20,format=rgba", "-frames:v", 1, things / "red.png")
        logo = {"file": "red.png", "corner": "top_left", "width": 0.3, "margin": 0}
        path = files(make("grey.mp4", {"preset": "web", "logo": logo}))["web.mp4"]
        look = "crop=2:2:20:20,scale=in_color_matrix=bt709,format=rgb24"
        red, green, blue = run_ffmpeg("-i", path, "-vf", look, "-frames:v", 1, "-f", "rawvideo", "-").stdout[:3]
        assert red > 245
        assert max(green, blue) < 10

    def test_times_are_those_of_the_output(self, make: Callable[..., Rendered], binaries: Binaries) -> None:
        output = {"preset": "web", "trim": {"start": 1}, "speed": 0.5, "title": {"text": "fox", "start": 0.5, "end": 1}}
        path = files(make("grey.mp4", output))["web.mp4"]
        width, frames = grey_frames(path, binaries)
        shown = [at for at, frame in zip(frame_times(path), frames, strict=True) if bright(frame, width)]
        assert (min(shown), max(shown)) == (pytest.approx(0.5, abs=0.11), pytest.approx(0.9, abs=0.11))
        assert len(frames) == pytest.approx(20, abs=1)

    def test_burnt_subtitles_are_seen_in_their_time(self, make: Callable[..., Rendered], binaries: Binaries) -> None:
        made = files(make("grey.mp4", {"preset": "web", "subtitles": "words.srt"}))
        width, frames = grey_frames(made["web.mp4"], binaries)
        assert [index for index, frame in enumerate(frames) if bright(frame, width)] == [5, 6, 7, 8, 9]

    def test_subtitles_of_their_own_leave_pictures_and_sound_as_they_are(
        self, make: Callable[..., Rendered], things: Path, binaries: Binaries
    ) -> None:
        subtitles = {"file": "words.srt", "mode": "mux", "language": "eng"}
        path = files(make("grey.mp4", {"preset": "web", "subtitles": subtitles}))["web.mp4"]
        assert packets(path) == packets(things / "grey.mp4")
        assert sound_packets(path) == sound_packets(things / "grey.mp4")
        assert "(eng): Subtitle: mov_text" in probed(path, binaries).printed
        assert probed(path, binaries).duration == pytest.approx(2, abs=0.1)
        words = run_ffmpeg("-i", path, "-map", "0:s:0", "-f", "srt", "-").stdout.decode()
        assert "00:00:00,500 --> 00:00:01,000\nThe fox" in words
        assert "Too late" not in words

    def test_hostile_text_is_drawn_as_it_is_and_in_no_command(
        self, make: Callable[..., Rendered], binaries: Binaries, spied: tuple[Binaries, Path]
    ) -> None:
        text = "%{pts} x':textfile='/etc/hostname [v];movie=/etc/passwd"
        made = files(make("grey.mp4", {"preset": "web", "captions": [{"text": text}]}, binaries=spied[0]))
        width, frames = grey_frames(made["web.mp4"], binaries)
        # A time would change.
        assert max(len(bright(frame, width) ^ bright(frames[0], width)) for frame in frames) < 30
        assert len(bright(frames[0], width)) > 500
        assert "hostname" not in spied[1].read_text()


class TestSound:
    def test_music_is_heard_under_a_silent_source(
        self, make: Callable[..., Rendered], things: Path, binaries: Binaries, spied: tuple[Binaries, Path]
    ) -> None:
        music = {"music": {"file": "tune.mp3", "fade_in": 0, "fade_out": 0.5}, "loudness": -14}
        # The same things in two outputs of one call; equal inputs are one for ffmpeg-python.
        outputs = ({"preset": "web", **music}, {"preset": "webm", "logo": "logo.png", **music})
        both = (*outputs, {"preset": "prores", "logo": "logo.png", **music})
        made = files(make("silent.mp4", *both, binaries=spied[0]))
        assert packets(made["web.mp4"]) == packets(things / "silent.mp4")
        for path in made.values():
            assert loudness(path) == pytest.approx(-14, abs=1)
            assert tone(path, TUNE, 1) - tone(path, TUNE, 1.9, 0.09) > 6
            assert len(samples(path, 0, 60)) == pytest.approx(2 * 8000, abs=400)
        encoding = [line for line in spied[1].read_text().splitlines() if "libvpx" in line]
        assert len(encoding) == 1

    def test_music_goes_on_when_the_source_falls_silent(self, make: Callable[..., Rendered]) -> None:
        made = files(make("grey.mp4", {"preset": "web", "music": {"file": "tune.mp3", "fade_out": 0}}))
        assert tone(made["web.mp4"], TUNE, 1.5) > -40
        assert tone(made["web.mp4"], SPEECH, 0.1, 0.3) > tone(made["web.mp4"], SPEECH, 1.5) + 20

    def test_a_voice_begins_in_the_time_of_the_output(self, make: Callable[..., Rendered]) -> None:
        voice = {"file": "tune.mp3", "start": 0.5}
        made = files(make("silent.mp4", {"preset": "web", "trim": {"start": 1}, "voice": voice}))
        assert tone(made["web.mp4"], TUNE, 0.6, 0.3) - tone(made["web.mp4"], TUNE, 0.1, 0.3) > 20

    def test_loudness_alone_leaves_the_pictures(self, make: Callable[..., Rendered], things: Path) -> None:
        made = files(make("grey.mp4", {"preset": "web", "loudness": -20}))
        assert packets(made["web.mp4"]) == packets(things / "grey.mp4")
        assert loudness(made["web.mp4"]) == pytest.approx(-20, abs=1)

    def test_there_is_nothing_to_level_in_a_silent_source(self, make: Callable[..., Rendered], binaries: Any) -> None:
        made = files(make("silent.mp4", {"preset": "web", "loudness": -20}))
        assert probed(made["web.mp4"], binaries).audio is None


class TestFaults:
    def test_a_bad_file_takes_no_other_output_with_it(self, make: Callable[..., Rendered], spied: Any) -> None:
        bad = {"preset": "web", "name": "bad", "logo": "bad.png"}
        rendered = make("grey.mp4", "master", {"preset": "web", "logo": "logo.png"}, bad, binaries=spied[0])
        assert [one.output.file_name for one in rendered.outputs] == ["master.mp4", "web.mp4"]
        (warning,) = rendered.warnings
        assert warning.startswith("bad.mp4 was left out: The logo cannot be used: ")
        assert len([line for line in spied[1].read_text().splitlines() if "libx264" in line]) == 1

    def test_one_that_is_broken_behind_its_head_does_not_either(
        self, make: Callable[..., Rendered], things: Path
    ) -> None:
        (things / "broken.png").write_bytes((things / "logo.png").read_bytes()[:40] + bytes(40))
        rendered = make("grey.mp4", "master", {"preset": "web", "logo": "broken.png"})
        assert [one.output.file_name for one in rendered.outputs] == ["master.mp4"]
        assert "web.mp4 was left out" in rendered.warnings[0]

    def test_a_required_output_is_a_failure(self, make: Callable[..., Rendered]) -> None:
        rendered = make("grey.mp4", {"preset": "web", "required": True, "music": "bad.png"})
        (failure,) = rendered.failures
        assert isinstance(failure, OutputError)
        assert "The music cannot be used" in failure.message

    def test_a_filter_that_lacks_is_named(self, make: Callable[..., Rendered], binaries: Binaries) -> None:
        rendered = make("grey.mp4", "master", {"preset": "web", "title": "fox"}, binaries=Poor(binaries.ffmpeg))
        assert [one.output.file_name for one in rendered.outputs] == ["master.mp4"]
        assert "this ffmpeg has no drawtext" in rendered.warnings[0]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"preset": "webm", "subtitles": {"file": "a.srt", "mode": "mux"}}, "the mode mux do not go into the preset"),
        ({"preset": "hls", "subtitles": {"file": "a.srt", "mode": "mux"}}, "the mode mux do not go into the preset"),
        ({"preset": "gif", "music": "a.mp3"}, "`music` does not apply to the preset gif"),
        ({"preset": "poster", "logo": "a.png"}, "`logo` does not apply to the preset poster"),
        ({"preset": "master", "title": "fox"}, "`title` does not apply to the preset master"),
        ({"preset": "web", "loudness": 3}, "outputs.0.loudness"),
        ({"preset": "web", "voice": {"file": "a.mp3", "start": float("inf")}}, "outputs.0.voice.start"),
        ({"preset": "web", "captions": [{"text": "fox", "colour": "a:b"}]}, "outputs.0.captions.0.colour"),
    ],
)
def test_a_plan_that_cannot_be_is_told(data: dict[str, Any], words: str) -> None:
    with pytest.raises(PlanError) as caught:
        RenderPlan.parse([data])
    assert words in caught.value.message


def test_what_is_empty_is_not_given() -> None:
    empty = {"preset": "gif", "captions": [], "logo": "", "music": None, "loudness": "keep"}
    assert RenderPlan.parse([empty]).outputs[0].fingerprint == RenderPlan.parse(["gif"]).outputs[0].fingerprint


class TestDelivery:
    PLAN = RenderPlan.parse(
        ["master", {"preset": "web", "logo": "mem://logo.png"}, {"preset": "webm", "loudness": -14}]
    )

    @pytest.fixture
    def store(self, things: Path, tmp_path: Path) -> Path:
        folder = tmp_path / "store"
        folder.mkdir()
        (folder / "logo.png").write_bytes((things / "logo.png").read_bytes())
        return folder

    @pytest.fixture
    def delivered(
        self, server: Any, settings: MediaSettings, tmp_path: Path, things: Path, store: Path
    ) -> Iterator[Callable[..., Delivery]]:
        server.script = [serve((things / "grey.mp4").read_bytes())]

        def open_path(name: str) -> Path:
            scheme, _, rest = name.partition("://")
            assert scheme == "mem"
            return store / rest

        def delivered(recorded: dict[str, Artifact], **options: Any) -> Delivery:
            options = {"settings": settings, "plan": self.PLAN, "open_path": open_path, **options}
            return deliver(lambda: server.url, tmp_path / "out", recorded=recorded, **options)

        yield delivered
        assert list(Path(settings.scratch_dir or "").iterdir()) == []

    def test_what_shows_a_changed_logo_is_made_anew_and_nothing_else(
        self, delivered: Callable[..., Delivery], store: Path, tmp_path: Path
    ) -> None:
        first = delivered({})
        assert first.warnings == []
        written = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
        assert set(written) == {"source.mp4", "master.mp4", "web.mp4", "webm.webm"}
        assert delivered(first.artifacts).artifacts == first.artifacts
        assert {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()} == written
        run_ffmpeg("-f", "lavfi", "-i", "color=black:size=40x20,format=rgba", "-frames:v", 1, store / "logo.png")
        again = delivered(first.artifacts)
        different = {name for name in first.artifacts if again.artifacts[name] != first.artifacts[name]}
        assert different == {"web.mp4"}
        assert again.artifacts["web.mp4"].sha256 != first.artifacts["web.mp4"].sha256
        now = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
        assert {name for name in now if now[name] != written[name]} == {"web.mp4"}

    @pytest.mark.parametrize("opened", ["missing", "refused", "too large"])
    def test_a_file_that_cannot_be_had_costs_its_output_only(
        self, delivered: Callable[..., Delivery], store: Path, settings: MediaSettings, opened: str
    ) -> None:
        def refuse(name: str) -> Path:
            raise ImportError(f"no client for {name}")

        options: dict[str, Any] = {}
        if opened == "missing":
            (store / "logo.png").unlink()
        elif opened == "refused":
            options["open_path"] = refuse
        else:
            (store / "logo.png").write_bytes(bytes(1 << 20))
            limits = DownloadLimits(max_bytes=1 << 19, pause_seconds=0, read_seconds=5)
            allowed, scratch = settings.allowed_private_hosts, settings.scratch_dir
            options["settings"] = MediaSettings(limits=limits, allowed_private_hosts=allowed, scratch_dir=scratch)
        delivery = delivered({}, **options)
        assert set(delivery.artifacts) == {"source.mp4", "master.mp4", "webm.webm"}
        (warning,) = delivery.warnings
        assert warning.startswith("web.mp4 was left out: ")
        assert "logo.png" in warning
