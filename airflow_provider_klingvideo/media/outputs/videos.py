"""Outputs with a video codec."""

from __future__ import annotations

from typing import Any, cast

import ffmpeg

from airflow_provider_klingvideo.media.decor.overlays import Subtitles
from airflow_provider_klingvideo.media.ffmpeg.blocks import Canvas
from airflow_provider_klingvideo.media.ffmpeg.graphs import metadata
from airflow_provider_klingvideo.media.inspect.probing import MediaInfo
from airflow_provider_klingvideo.media.outputs.branches import Branch, duration_of, size_of
from airflow_provider_klingvideo.media.outputs.copying import copies_pictures, copies_sound
from airflow_provider_klingvideo.media.outputs.framing import colored, shaped, tagged, timed
from airflow_provider_klingvideo.media.outputs.presets import (
    DEFAULT_ENCODER_PRESET,
    SUBTITLE_CODEC,
    AudioCodec,
    VideoCodec,
)
from airflow_provider_klingvideo.media.outputs.soundtrack import has_sound, soundtrack


def build_video(branch: Branch) -> Any:
    """A video: pictures and sound are copied where they are wanted as they are, else encoded."""
    row, info = branch.output.row, branch.info
    video = cast("VideoCodec", row.video)
    # The source's metadata are kept, and ours written.
    streams, arguments = [], {**row.muxer, "map_metadata": 0, **metadata(branch.tags)}
    if copies_pictures(branch.output, info):
        streams.append(branch.source["v:0"])
        arguments |= _copy_arguments(video, info)
    else:
        frames = tagged(shaped(timed(branch), branch), info)
        streams.append(colored(_drawn(frames, branch), info, video.pixel_format))
        arguments |= _encoder_arguments(video, branch)
    if row.audio and has_sound(branch.output, info):
        streams.append(soundtrack(branch))
        arguments |= _sound_arguments(row.audio, branch)
    if subtitles := branch.output.muxed_subtitles:
        streams.append(subtitles.track(branch.texts))
        arguments |= _subtitle_arguments(subtitles, duration_of(branch.output, info))
    if row.playlist:
        arguments["hls_segment_filename"] = str(branch.target.with_name("segment-%05d.m4s"))
    return ffmpeg.output(*streams, str(branch.target), **arguments)


def _copy_arguments(codec: VideoCodec, info: MediaInfo) -> dict[str, Any]:
    tagging = {"bsf:v": codec.tagging} if codec.tagging and info.color_space is None else {}
    return {"c:v": "copy", **codec.copy_arguments, **tagging}


def _encoder_arguments(codec: VideoCodec, branch: Branch) -> dict[str, Any]:
    output = branch.output
    arguments = {"c:v": codec.encoder, **codec.arguments}
    crf = codec.crf if output.crf is None else output.crf
    if crf is not None:
        arguments["crf"] = crf
    arguments |= codec.encoder_presets.get(output.encoder_preset or DEFAULT_ENCODER_PRESET, {})
    if branch.threads is not None:
        arguments |= {"threads": branch.threads}
        arguments |= {name: value.format(branch.threads) for name, value in codec.thread_arguments.items()}
    return arguments


def _drawn(frames: Any, branch: Branch) -> Any:
    """Pictures in the output's size and times, with what is drawn over them."""
    width, height = size_of(branch.output, branch.info)
    return branch.output.drawn(frames, Canvas(width, height, branch.texts, branch.features))


def _sound_arguments(codec: AudioCodec, branch: Branch) -> dict[str, Any]:
    if copies_sound(branch.output, branch.info):
        return {"c:a": "copy"}
    return {"c:a": codec.encoder, **codec.arguments}


def _subtitle_arguments(subtitles: Subtitles, seconds: float) -> dict[str, Any]:
    """Of a track that ends with the video: a later cue would make the file as long as the subtitles."""
    return {"c:s": SUBTITLE_CODEC, "metadata:s:s:0": f"language={subtitles.language}", "t": f"{seconds:.6f}"}
