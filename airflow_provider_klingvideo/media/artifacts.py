"""What a delivery hands over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

from airflow_provider_klingvideo.media.probing import MediaInfo


class Artifact(BaseModel):
    """One published file.

    :param name: file name, unique within a delivery.
    :param path: where it lies, as a path or URI.
    :param size: bytes.
    :param sha256: hexadecimal digits.
    :param media_type: for example ``video/mp4``.
    :param width: pixels as a player shows them, None when unknown.
    :param height: pixels.
    :param duration: seconds, None for a still.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    path: str
    size: int
    sha256: str
    media_type: str
    width: int | None = None
    height: int | None = None
    duration: float | None = None

    def to_json(self) -> dict[str, Any]:
        """A JSON object, for the job record."""
        return self.model_dump(mode="json")

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_json` made; fields that a later version added are ignored."""
        return cls.model_validate(data)


@dataclass(frozen=True)
class Delivery:
    """A finished post-processing.

    :param artifacts: published files by name; ``source.mp4`` and ``master.mp4`` are always among them.
    :param info: streams of the source.
    :param warnings: sentences for the user: outputs left out, sound missing.
    """

    artifacts: dict[str, Artifact]
    info: MediaInfo
    warnings: list[str]
