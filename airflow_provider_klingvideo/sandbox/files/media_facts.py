"""What can be read off an input file."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class MediaFacts(BaseModel):
    """What can be read off a picture, a film or a sound.

    :param format: ``png``, ``jpeg``, ``mp4``, ``mov``, ``mp3``, ``wav``, ``m4a`` or ``aac``.
    :param width: pixels, 0 for a sound; ``height`` likewise.
    :param seconds: 0 for a picture.
    :param frames_per_second: of a film.
    :param sound: whether it can be heard.
    """

    model_config = ConfigDict(frozen=True)

    format: str
    width: int = 0
    height: int = 0
    seconds: float = 0.0
    frames_per_second: float = 0.0
    sound: bool = False
