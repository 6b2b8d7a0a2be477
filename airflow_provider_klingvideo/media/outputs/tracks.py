"""What a clip's picture track is made of, to the frame: whether clips can be joined as they are, how long they last.

A probe rounds durations and does not tell the codec's own data; ffmpeg's ``framehash`` lists both without decoding.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import ffmpeg

from airflow_provider_klingvideo.errors import Fault
from airflow_provider_klingvideo.media.errors import FilmError
from airflow_provider_klingvideo.media.ffmpeg.graphs import open_source
from airflow_provider_klingvideo.media.ffmpeg.passes import Passes
from airflow_provider_klingvideo.storage.objects import storage_errors

# "#tb 0: 1/12800", "#extradata 0,  38, 2945e0a3": what must be equal for packets to follow one another in one track.
_HEADER = re.compile(r"^#(?:extradata|tb|codec_id|dimensions|sar) 0[:,].*$", re.MULTILINE)
_TIMEBASE = re.compile(r"^#tb 0: (\d+)/(\d+)$", re.MULTILINE)
_SHAPE = re.compile(r"^#sar 0: (\d+)/(\d+)$", re.MULTILINE)
# "0,  dts,  pts,  duration,  size,  hash"
_PACKET = re.compile(r"^0, *-?\d+, *(-?\d+), *(\d+),", re.MULTILINE)

SQUARE = Fraction(1)
NEARLY = Fraction(2, 100)


@dataclass(frozen=True)
class PictureTrack:
    """The first picture track of a clip.

    :param parameters: codec, codec data, size, shape of pixels and timebase; tracks with equal ones can be joined.
    :param seconds: from the beginning of its first to the end of its last frame.
    :param pixel_shape: width of a pixel by its height.
    """

    parameters: tuple[str, ...]
    seconds: Fraction
    pixel_shape: Fraction


def picture_track(path: Path, passes: Passes) -> PictureTrack:
    """List the packets of a clip that nobody vouches for; nothing is decoded.

    :raises FilmError: it has no frame.
    :raises FFmpegError: it cannot be read.
    """
    listing = passes.folder / "packets.txt"
    source = open_source(path)
    passes.run(ffmpeg.output(source["v:0"], str(listing), c="copy", format="framehash", hash="crc32"))
    with storage_errors(f"reading the packets of {path.name}"):
        text = listing.read_text()
    packets = [(int(start), int(length)) for start, length in _PACKET.findall(text)]
    timebase = _TIMEBASE.search(text)
    if not packets or timebase is None:
        raise FilmError(Fault(path.name, "has no picture", "one picture at least"))
    ticks = max(start + length for start, length in packets) - min(start for start, _ in packets)
    shape = _SHAPE.search(text)
    return PictureTrack(
        parameters=tuple(_HEADER.findall(text)),
        seconds=ticks * Fraction(int(timebase[1]), int(timebase[2])),
        pixel_shape=_pixel_shape(Fraction(int(shape[1]), int(shape[2])) if shape else SQUARE),
    )


def _pixel_shape(told: Fraction) -> Fraction:
    """Take for square what is nearly so: encoders make up with it for sides that they have rounded. 0 is unknown."""
    return told if told and abs(told - SQUARE) > NEARLY else SQUARE
