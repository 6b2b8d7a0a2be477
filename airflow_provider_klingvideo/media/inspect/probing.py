"""What is in a video file: asked of ffprobe, else of PyAV where it is installed, else of ``ffmpeg -i``."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from airflow_provider_klingvideo.media.errors import SHORTAGES, VerificationError
from airflow_provider_klingvideo.media.ffmpeg.binaries import Binaries
from airflow_provider_klingvideo.media.ffmpeg.faults import not_started
from airflow_provider_klingvideo.media.ffmpeg.runner import SHOWN_LINES, Finished, failure, run
from airflow_provider_klingvideo.media.ffmpeg.trust import MP4_PICTURES, MP4_SOUNDS, UNTRUSTED_INPUT, file_argument

PROBE_SECONDS = 60

_DURATION = re.compile(r"^  Duration: (\d+):(\d\d):(\d\d(?:\.\d+)?)", re.MULTILINE)
_STREAM = re.compile(r"^  Stream #0:\d+.*?: (Video|Audio): (\w+)(.*)$", re.MULTILINE)
_ANY_STREAM = re.compile(r"^  Stream #0:(\d+).*?: (Video|Audio|Subtitle|Data|Attachment): (\w+)", re.MULTILINE)
_SIZE = re.compile(r", (\d{1,6})x(\d{1,6})\b")
# "yuv420p", "yuv420p10le(tv, bt709, progressive)": behind the codec's own parentheses, up to the next comma.
_PIXEL_FORMAT = re.compile(r"^(?: \([^)]*\))*, (\w+)")
# "(tv, bt709, progressive)", "(pc, bt470bg/unknown/unknown, progressive)": the matrix comes first.
_RANGE = re.compile(r"[(,] ?(tv|pc)[,)]")
_SPACE = re.compile(r"[(,] ?(bt709|smpte170m|bt470bg|smpte240m|fcc|bt2020nc|bt2020c|gbr|ycgco)[/,)]")
_FPS = re.compile(r", ([\d.]+)(k?) fps")
_GUESSED_FPS = re.compile(r", ([\d.]+)(k?) tbr")
# What the average of a constant rate may lie away from it: a last frame that lasts longer, rounded figures.
CONSTANT = 0.02
_ROTATION = re.compile(r"Display ?Matrix: rotation of (-?\d+)", re.IGNORECASE)

# PyAV gives AVColorRange and AVColorSpace as numbers (libavutil/pixfmt.h).
_RANGES = {1: "tv", 2: "pc"}
_SPACES = {0: "gbr", 1: "bt709", 4: "fcc", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "ycgco", 9: "bt2020nc"}
_SPACES |= {10: "bt2020c"}
# PyAV tells the rotation with the first picture, which is decoded within our process: a larger one is left to ffmpeg.
MAX_OWN_PIXELS = 7680 * 4320


@dataclass(frozen=True)
class MediaInfo:
    """What a video file holds.

    :param duration: seconds.
    :param width: stored width in pixels, before rotation.
    :param height: stored height in pixels, before rotation.
    :param fps: average frames per second, 0 when the file does not tell.
    :param video_codec: ffmpeg's name of the video codec, for example ``h264``.
    :param audio_codec: the same of the first audio track, None without sound.
    :param pixel_format: ffmpeg's name, for example ``yuv420p``.
    :param rotation: degrees by which a player turns the picture: 0, 90, 180 or 270, clockwise.
    :param color_range: ``tv`` or ``pc``, None when the file does not tell.
    :param color_space: ffmpeg's name of the matrix, for example ``bt709``; None when the file does not tell.
    :param variable_fps: whether the frames come at changing intervals.
    """

    duration: float
    width: int
    height: int
    fps: float
    video_codec: str
    audio_codec: str | None
    pixel_format: str
    rotation: int
    color_range: str | None = None
    color_space: str | None = None
    variable_fps: bool = False

    @property
    def display_size(self) -> tuple[int, int]:
        """Width and height as a player shows them."""
        return (self.height, self.width) if self.rotation in {90, 270} else (self.width, self.height)

    @property
    def is_bt709(self) -> bool:
        """Whether its colours are BT.709 of limited range; what has no tags counts as that."""
        return self.color_range != "pc" and self.color_space in {None, "bt709"}


def probe(path: Path, binaries: Binaries) -> MediaInfo:
    """Read the streams of a file that nobody vouches for; at most its first picture is decoded.

    :param path: a local file.
    :raises VerificationError: it cannot be read as MP4, has no picture, or a sound that is not decoded.
    :raises FFmpegError: the program hung, or was ended before it could tell.
    """
    if binaries.ffprobe:
        return _heard(_from_ffprobe(path, binaries.ffprobe))
    return _heard(_from_pyav(path) or _from_ffmpeg(path, binaries.ffmpeg))


@dataclass(frozen=True)
class Stream:
    """One stream of a file.

    :param number: in the file, from 0.
    :param kind: ``Video``, ``Audio``, ``Subtitle``, ``Data`` or ``Attachment``.
    :param codec: ffmpeg's name of its codec, ``none`` where it knows none.
    """

    number: int
    kind: str
    codec: str


def streams_of(path: Path, options: Mapping[str, str], binaries: Binaries) -> list[Stream]:
    """List the streams of a file of a known type, also those that are not decoded here.

    :param options: how ffmpeg opens it, see ``FileType.input_options``.
    :raises FFmpegError: the program hung, or was ended before it could tell.
    """
    opened = [part for name, value in options.items() for part in (f"-{name}", value)]
    finished = _heard_out([binaries.ffmpeg, "-hide_banner", "-nostdin", *opened, "-i", file_argument(path)])
    listed = _ANY_STREAM.findall("\n".join(finished.stderr))
    return [Stream(int(number), kind, codec) for number, kind, codec in listed]


def _untrusted(path: Path) -> list[str]:
    options = [part for name, value in UNTRUSTED_INPUT.items() for part in (f"-{name}", value)]
    return [*options, "-i", file_argument(path)]


def _heard_out(argv: Sequence[str], on_line: Callable[[str], None] = lambda _line: None) -> Finished:
    """Run a program that says something about a file.

    :raises FFmpegError: it was ended before it could; that is no fault of the file.
    """
    finished = run(argv, timeout=PROBE_SECONDS, on_line=on_line)
    error = failure(argv, finished)
    if finished.returncode and error.inconclusive:
        raise error
    return finished


def _from_ffprobe(path: Path, ffprobe: str) -> MediaInfo:
    lines: list[str] = []
    argv = [ffprobe, "-v", "error", "-print_format", "json", "-show_format", "-show_streams", *_untrusted(path)]
    finished = _heard_out(argv, lines.append)
    if finished.returncode:
        raise _unreadable(path, finished.stderr)
    try:
        found = json.loads("\n".join(lines))
        return _from_json(found["streams"], found.get("format", {}))
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise _unreadable(path, [f"ffprobe's answer makes no sense: {type(error).__name__} {error}"]) from error


def _from_json(streams: Iterable[Mapping[str, Any]], container: Mapping[str, Any]) -> MediaInfo:
    first: dict[str, Mapping[str, Any]] = {}
    for stream in streams:
        if not stream.get("disposition", {}).get("attached_pic"):
            first.setdefault(stream["codec_type"], stream)
    if "video" not in first:
        raise _without_picture()
    video = first["video"]
    _require_known(video["codec_name"])
    fps = _ratio(video.get("avg_frame_rate", "0/0"))
    rotations = [int(data["rotation"]) for data in video.get("side_data_list", ()) if "rotation" in data]
    return MediaInfo(
        duration=float(container.get("duration", 0)),
        width=int(video["width"]),
        height=int(video["height"]),
        fps=fps,
        video_codec=video["codec_name"],
        audio_codec=first["audio"]["codec_name"] if "audio" in first else None,
        pixel_format=video.get("pix_fmt", ""),
        rotation=_clockwise(rotations),
        color_range=_known(video.get("color_range")),
        color_space=_known(video.get("color_space")),
        variable_fps=_differ(fps, _ratio(video.get("r_frame_rate", "0/0"))),
    )


def _from_pyav(path: Path) -> MediaInfo | None:
    """What PyAV reads, None where it is not installed or would have to decode a huge picture."""
    try:
        import av
    except ImportError:
        return None
    try:
        with av.open(file_argument(path), options=UNTRUSTED_INPUT, timeout=PROBE_SECONDS) as container:
            shown = [one for one in container.streams.video if not one.disposition & one.disposition.attached_pic]
            if not shown:
                raise _without_picture()
            video, sound = shown[0], container.streams.audio
            codec = video.codec_context
            if codec.width * codec.height > MAX_OWN_PIXELS or codec.codec.canonical_name not in MP4_PICTURES:
                return None
            picture = next(container.decode(video), None)
            fps = float(video.average_rate or 0)
            return MediaInfo(
                duration=(container.duration or 0) / av.time_base,
                width=codec.width,
                height=codec.height,
                fps=fps,
                video_codec=codec.codec.canonical_name,
                audio_codec=sound[0].codec_context.codec.canonical_name if sound else None,
                pixel_format=codec.pix_fmt or "",
                rotation=_clockwise([picture.rotation]) if picture else 0,
                color_range=_RANGES.get(codec.color_range),
                color_space=_SPACES.get(codec.colorspace),
                variable_fps=_differ(fps, float(video.base_rate or 0)),
            )
    except av.FFmpegError as error:
        if error.errno in SHORTAGES:
            raise not_started(["PyAV"], error.errno) from error
        raise _unreadable(path, [str(error)]) from error


def _from_ffmpeg(path: Path, ffmpeg: str) -> MediaInfo:
    # It always exits with an error, "At least one output file must be specified": what it printed before counts.
    finished = _heard_out([ffmpeg, "-hide_banner", "-nostdin", *_untrusted(path)])
    printed = "\n".join(finished.stderr)
    duration = _DURATION.search(printed)
    streams = [match for match in _STREAM.finditer(printed) if "(attached pic)" not in match[3]]
    if not duration and not streams:
        raise _unreadable(path, finished.stderr)
    video = next((match for match in streams if match[1] == "Video"), None)
    if video is None:
        raise _without_picture()
    _require_known(video[2])
    size = _SIZE.search(video[3])
    if size is None:
        raise _unreadable(path, [video[0]])
    fps, guessed_fps = _rate(_FPS, video[3]), _rate(_GUESSED_FPS, video[3])
    color_range, color_space = _RANGE.search(video[3]), _SPACE.search(video[3])
    pixel_format = _PIXEL_FORMAT.search(video[3])
    return MediaInfo(
        duration=_seconds(duration) if duration else 0.0,
        width=int(size[1]),
        height=int(size[2]),
        fps=fps,
        video_codec=video[2],
        audio_codec=next((match[2] for match in streams if match[1] == "Audio"), None),
        pixel_format=pixel_format[1] if pixel_format else "",
        rotation=_clockwise([int(found) for found in _ROTATION.findall(printed)]),
        color_range=color_range[1] if color_range else None,
        color_space=color_space[1] if color_space else None,
        variable_fps=_differ(fps, guessed_fps),
    )


def _ratio(text: str) -> float:
    numerator, _, denominator = text.partition("/")
    return float(Fraction(int(numerator), int(denominator))) if int(denominator or 0) else 0.0


def _rate(pattern: re.Pattern[str], text: str) -> float:
    found = pattern.search(text)
    return float(found[1]) * (1000 if found[2] else 1) if found else 0.0


def _differ(average: float, guessed: float) -> bool:
    return bool(average and guessed) and abs(guessed - average) > CONSTANT * average


def _known(tag: str | None) -> str | None:
    return None if tag in {None, "unknown", "unspecified", "reserved"} else tag


def _seconds(match: re.Match[str]) -> float:
    return int(match[1]) * 3600 + int(match[2]) * 60 + float(match[3])


def _clockwise(counter_clockwise: list[int]) -> int:
    """Turn ffmpeg's angle, counter-clockwise from -180 to 180, into ours."""
    return -counter_clockwise[0] % 360 if counter_clockwise else 0


def _require_known(codec: str) -> None:
    if codec not in MP4_PICTURES:
        raise VerificationError(f"Pictures of {codec} are not decoded (known: {', '.join(MP4_PICTURES)})")


def _heard(info: MediaInfo) -> MediaInfo:
    if info.audio_codec not in {None, *MP4_SOUNDS}:
        raise VerificationError(
            f"The first sound stream is {info.audio_codec}, which is not decoded (known: {', '.join(MP4_SOUNDS)})"
        )
    return info


def _unreadable(path: Path, words: list[str]) -> VerificationError:
    tail = "\n".join(line for line in words[-SHOWN_LINES:] if line.strip())
    return VerificationError(f"{path.name} cannot be read as MP4:\n{tail}")


def _without_picture() -> VerificationError:
    return VerificationError("The file has no video track")
