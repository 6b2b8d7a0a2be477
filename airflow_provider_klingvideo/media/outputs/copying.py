"""What can be copied is never encoded: a copy costs about a hundredth of an encode."""

from __future__ import annotations

from airflow_provider_klingvideo.media.inspect.probing import MediaInfo
from airflow_provider_klingvideo.media.outputs.plan import Output
from airflow_provider_klingvideo.media.outputs.presets import ENCODING, SIZING, SOUNDED, TIMING

PICTURE_OPTIONS = SIZING | TIMING | ENCODING
SOUND_OPTIONS = SOUNDED | {"trim", "speed"}


def copies_pictures(output: Output, info: MediaInfo) -> bool:
    """Tell whether a source's pictures are what an output wants as they are."""
    codec = output.row.video
    if codec is None or output.sets(PICTURE_OPTIONS) or output.overlays:
        return False
    return info.video_codec in codec.copied_codecs or (
        info.video_codec == codec.name and info.pixel_format in codec.copied_formats and info.is_bt709
    )


def copies_sound(output: Output, info: MediaInfo) -> bool:
    """Tell whether a source's sound is what an output wants as it is."""
    codec = output.row.audio
    if codec is None or output.sets(SOUND_OPTIONS):
        return False
    return info.audio_codec in {codec.name, *codec.copied_codecs}
