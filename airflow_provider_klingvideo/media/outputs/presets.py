"""The table of presets: what an output is encoded with, what its bounds are, what may be changed about it.

Data only; :mod:`~airflow_provider_klingvideo.media.outputs.building` turns a row and a source into
a part of ffmpeg's graph.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from airflow_provider_klingvideo.media.outputs.geometry import Size

Bounds = tuple[int, int]

SIZING = frozenset({"aspect", "fit", "width", "height"})
TIMING = frozenset({"fps", "trim", "speed"})
ENCODING = frozenset({"crf", "encoder_preset"})
DRAWN = frozenset({"logo", "title", "captions", "subtitles"})
SOUNDED = frozenset({"music", "voice", "loudness"})
# Containers that take subtitles as a track of their own, in the codec below.
SUBTITLED = frozenset({"mp4"})
SUBTITLE_CODEC = "mov_text"
SIDES: Bounds = (16, 7680)
# A GIF is held in memory until its palette is known.
SMALL_SIDES: Bounds = (16, 1280)

ENCODER_PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow")
DEFAULT_ENCODER_PRESET = "veryfast"


class Kind(StrEnum):
    """How the files of a preset come about."""

    VIDEO = "video"
    GIF = "gif"
    WEBP = "webp"
    POSTER = "poster"
    SHEET = "sheet"
    SPRITE = "sprite"


def _encoder_presets(option: str, *values: object) -> dict[str, dict[str, object]]:
    return {name: {option: value} for name, value in zip(ENCODER_PRESETS, values, strict=True)}


@dataclass(frozen=True)
class VideoCodec:
    """A row of the table of video encoders.

    :param name: ffmpeg's name of the codec.
    :param encoder: ffmpeg's name of the encoder.
    :param pixel_format: what is encoded.
    :param copied_formats: pixel formats of a source that need not be encoded again.
    :param copied_codecs: codecs of a source that need not be encoded again.
    :param arguments: of the encoder.
    :param copy_arguments: of a copy.
    :param tagging: the bitstream filter that writes missing colour tags into a copy.
    :param crf: constant rate factor, None when the encoder has none.
    :param crf_bounds: the lowest and highest one that makes sense.
    :param encoder_presets: arguments by names of :data:`ENCODER_PRESETS`.
    :param thread_arguments: arguments that bound its threads beside ``-threads``; ``{}`` stands for the number.
    """

    name: str
    encoder: str
    pixel_format: str = "yuv420p"
    copied_formats: frozenset[str] = frozenset({"yuv420p"})
    copied_codecs: frozenset[str] = frozenset()
    arguments: Mapping[str, Any] = field(default_factory=dict)
    copy_arguments: Mapping[str, Any] = field(default_factory=dict)
    tagging: str | None = None
    crf: int | None = None
    crf_bounds: Bounds = (0, 0)
    encoder_presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    thread_arguments: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class AudioCodec:
    """A row of the table of audio encoders; the fields are those of :class:`VideoCodec`."""

    name: str
    encoder: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    copied_codecs: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Preset:
    """A row of the table of presets.

    :param summary: what it is, for people.
    :param kind: how its files come about.
    :param extension: of its main file.
    :param media_type: of its main file.
    :param options: the fields of an :class:`~airflow_provider_klingvideo.media.Output` that may be set.
    :param video: how pictures are encoded, None for what is no video.
    :param audio: how sound is encoded, None for an output without.
    :param muxer: arguments of the container.
    :param encoders: encoders of ffmpeg that it needs besides those of ``video`` and ``audio``.
    :param filters: filters of ffmpeg that it needs.
    :param required: whether a delivery without it fails, unless the output says otherwise.
    :param box: what its size is shrunk into, unless the output sets a side.
    :param seconds: how much of the source it shows, None for all.
    :param fps: frames per second, None for those of the source.
    :param sides: bounds of width and height, in pixels.
    :param quality: 1 to 100, None where it cannot be set.
    :param playlist: name of the main file when the output is a folder of files.
    """

    summary: str
    kind: Kind
    extension: str
    media_type: str
    options: frozenset[str] = frozenset()
    video: VideoCodec | None = None
    audio: AudioCodec | None = None
    muxer: Mapping[str, Any] = field(default_factory=dict)
    encoders: frozenset[str] = frozenset()
    filters: frozenset[str] = frozenset()
    required: bool = False
    box: Size | None = None
    seconds: float | None = None
    fps: float | None = None
    sides: Bounds = SIDES
    quality: int | None = None
    playlist: str | None = None


# use_metadata_tags keeps marks that MP4 has no field of its own for, an AI label for example.
MP4 = {"format": "mp4", "movflags": "+faststart+use_metadata_tags"}
SEGMENT_SECONDS = 4
HLS = {
    "format": "hls",
    "hls_time": SEGMENT_SECONDS,
    "hls_playlist_type": "vod",
    "hls_segment_type": "fmp4",
    "hls_flags": "independent_segments",
    "hls_fmp4_init_filename": "init.mp4",
    "movflags": "+use_metadata_tags",
    "hls_segment_options": "movflags=+use_metadata_tags",
    "force_key_frames": f"expr:gte(t,n_forced*{SEGMENT_SECONDS})",
}

TEN_BIT = frozenset({"yuv420p", "yuv420p10le"})
BT709_TAGS = "colour_primaries=1:transfer_characteristics=1:matrix_coefficients=1"

H264 = VideoCodec(
    "h264",
    "libx264",
    tagging=f"h264_metadata={BT709_TAGS}",
    crf=21,
    crf_bounds=(10, 40),
    encoder_presets=_encoder_presets("preset", *ENCODER_PRESETS),
)
HEVC = VideoCodec(
    "hevc",
    "libx265",
    copied_formats=TEN_BIT,
    arguments={"tag:v": "hvc1", "x265-params": "log-level=error"},
    copy_arguments={"tag:v": "hvc1"},
    tagging=f"hevc_metadata={BT709_TAGS}",
    crf=24,
    crf_bounds=(10, 45),
    encoder_presets=_encoder_presets("preset", *ENCODER_PRESETS),
    thread_arguments={"x265-params": "log-level=error:pools={}"},
)
AV1 = VideoCodec(
    "av1",
    "libsvtav1",
    copied_formats=TEN_BIT,
    crf=35,
    crf_bounds=(15, 60),
    encoder_presets=_encoder_presets("preset", 12, 11, 10, 9, 8, 6, 4),
)
VP9 = VideoCodec(
    "vp9",
    "libvpx-vp9",
    arguments={"b:v": 0, "deadline": "good", "row-mt": 1},
    crf=32,
    crf_bounds=(15, 60),
    encoder_presets=_encoder_presets("cpu-used", 8, 7, 6, 5, 4, 3, 2),
)
PRORES = VideoCodec(
    "prores",
    "prores_ks",
    pixel_format="yuv422p10le",
    copied_formats=frozenset({"yuv422p10le"}),
    arguments={"profile:v": "standard", "vendor": "apl0"},
)
# What MP4 may hold and players know.
ANY = VideoCodec(
    "h264",
    "libx264",
    copied_formats=frozenset(),
    copied_codecs=frozenset({"h264", "hevc", "av1", "vp9", "mpeg4"}),
    crf=17,
    encoder_presets=H264.encoder_presets,
)

AAC = AudioCodec("aac", "aac", {"b:a": "160k"})
OPUS = AudioCodec("opus", "libopus", {"b:a": "128k"})
PCM = AudioCodec("pcm_s16le", "pcm_s16le")
ANY_SOUND = AudioCodec("aac", "aac", AAC.arguments, frozenset({"aac", "mp3", "ac3", "eac3", "opus", "flac", "alac"}))

STILL_FILTERS = frozenset({"split", "format"})
VIDEO_OPTIONS = SIZING | TIMING | ENCODING | DRAWN | SOUNDED

PRESETS: dict[str, Preset] = {
    "master": Preset(
        "the same picture and sound, index first, all metadata",
        Kind.VIDEO,
        "mp4",
        "video/mp4",
        video=ANY,
        audio=ANY_SOUND,
        muxer=MP4,
        required=True,
    ),
    "web": Preset(
        "H.264 and AAC in MP4, for every browser and platform",
        Kind.VIDEO,
        "mp4",
        "video/mp4",
        VIDEO_OPTIONS,
        H264,
        AAC,
        MP4,
    ),
    "hevc": Preset(
        "H.265 and AAC in MP4, as Apple players want it",
        Kind.VIDEO,
        "mp4",
        "video/mp4",
        VIDEO_OPTIONS,
        HEVC,
        AAC,
        MP4,
    ),
    "av1": Preset("AV1 and AAC in MP4, the smallest", Kind.VIDEO, "mp4", "video/mp4", VIDEO_OPTIONS, AV1, AAC, MP4),
    "webm": Preset(
        "VP9 and Opus in WebM", Kind.VIDEO, "webm", "video/webm", VIDEO_OPTIONS, VP9, OPUS, {"format": "webm"}
    ),
    "prores": Preset(
        "ProRes 422 and PCM in QuickTime, for editing programs",
        Kind.VIDEO,
        "mov",
        "video/quicktime",
        VIDEO_OPTIONS - ENCODING,
        PRORES,
        PCM,
        {**MP4, "format": "mov"},
    ),
    "hls": Preset(
        "a playlist and its segments, for streaming",
        Kind.VIDEO,
        "m3u8",
        "application/vnd.apple.mpegurl",
        VIDEO_OPTIONS,
        H264,
        AAC,
        HLS,
        playlist="index.m3u8",
    ),
    "gif": Preset(
        "an animated GIF with a palette of its own",
        Kind.GIF,
        "gif",
        "image/gif",
        SIZING | TIMING,
        encoders=frozenset({"gif"}),
        filters=STILL_FILTERS | {"fps", "scale", "palettegen", "paletteuse"},
        box=(480, SMALL_SIDES[1]),
        fps=12,
        sides=SMALL_SIDES,
    ),
    "preview": Preset(
        "the first four seconds as an animated WebP",
        Kind.WEBP,
        "webp",
        "image/webp",
        SIZING | TIMING | {"quality"},
        encoders=frozenset({"libwebp_anim"}),
        filters=STILL_FILTERS | {"trim", "fps", "scale"},
        box=(480, 4096),
        seconds=4.0,
        fps=10,
        quality=60,
    ),
    "poster": Preset(
        "a typical frame of the first two seconds",
        Kind.POSTER,
        "jpg",
        "image/jpeg",
        SIZING | {"trim", "quality"},
        encoders=frozenset({"mjpeg"}),
        filters=STILL_FILTERS | {"trim", "fps", "thumbnail"},
        seconds=2.0,
        quality=97,
    ),
    "contact_sheet": Preset(
        "up to 4 x 3 frames from beginning to end, each in 320 x 320",
        Kind.SHEET,
        "jpg",
        "image/jpeg",
        frozenset({"quality"}),
        encoders=frozenset({"mjpeg"}),
        filters=STILL_FILTERS | {"select", "scale", "tile"},
        quality=97,
    ),
    "sprite": Preset(
        "small frames in one picture, and a WebVTT file that tells players which is when",
        Kind.SPRITE,
        "jpg",
        "image/jpeg",
        frozenset({"quality"}),
        encoders=frozenset({"mjpeg"}),
        filters=STILL_FILTERS | {"fps", "tpad", "select", "scale", "tile"},
        quality=97,
    ),
}

DEFAULT_OUTPUTS = ("master", "poster", "preview", "contact_sheet")
