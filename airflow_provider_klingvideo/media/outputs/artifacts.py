"""What a delivery hands over."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

from airflow_provider_klingvideo.media.errors import MediaError
from airflow_provider_klingvideo.media.inspect.findings import Findings
from airflow_provider_klingvideo.media.inspect.gates import GateResult
from airflow_provider_klingvideo.media.inspect.probing import MediaInfo
from airflow_provider_klingvideo.storage.errors import UnsafeNameError
from airflow_provider_klingvideo.storage.names import inside
from airflow_provider_klingvideo.storage.protocols import StorePath

logger = logging.getLogger(__name__)


class ArtifactPart(BaseModel):
    """A published file that belongs to another one: a segment of a playlist, the cues of a sprite.

    :param name: relative to the folder of the delivery.
    :param size: bytes.
    :param sha256: hexadecimal digits.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    size: int
    sha256: str

    def file_in(self, folder: StorePath) -> StorePath:
        """Return where it lies when that is the folder of its delivery.

        :raises UnsafeNameError: its name could lead out of the folder, as no delivery has named it.
        """
        return inside(folder, self.name, nested=True)


class Artifact(ArtifactPart):
    """One published file, with those that belong to it; its name is unique within the delivery.

    :param path: where it lies, as a path or URI.
    :param media_type: for example ``video/mp4``.
    :param width: pixels as a player shows them, None when unknown.
    :param height: pixels.
    :param duration: seconds, None for a still.
    :param parts: the files that belong to it.
    :param made_by: fingerprint of the output of the plan that it was made by; None for what is stored as it came.
    :param findings: what was found in it, for the source.
    """

    path: str
    media_type: str
    width: int | None = None
    height: int | None = None
    duration: float | None = None
    parts: tuple[ArtifactPart, ...] = ()
    made_by: str | None = None
    findings: Findings | None = None

    @property
    def files(self) -> tuple[ArtifactPart, ...]:
        """All its files, itself first."""
        return (self, *self.parts)

    def located(self, folder: StorePath) -> Self:
        """Return the same as one that lies in a folder, whatever its record says about the place.

        :raises UnsafeNameError: the name of one of its files could lead out of the folder.
        """
        path, *_ = [one.file_in(folder) for one in self.files]
        return self.model_copy(update={"path": str(path)})

    def to_json(self) -> dict[str, Any]:
        """A JSON object, for the job record."""
        return self.model_dump(mode="json")

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_json` made; fields that a later version added are ignored."""
        return cls.model_validate(data)


def recorded_in(folder: StorePath, recorded: Mapping[str, Artifact]) -> dict[str, Artifact]:
    """Return what of a record can lie in a folder, with the places of the files there.

    Records can be edited, or copied from elsewhere: names that lead to other files are left out, so that these are
    neither read nor moved, replaced or removed.

    :param recorded: artifacts by name.
    """
    found = {}
    for name, one in recorded.items():
        try:
            found[name] = one.located(folder)
        except UnsafeNameError as error:
            logger.warning("An artifact on record is passed over: %s", error.message)
    return {name: one for name, one in found.items() if name == one.name}


@dataclass(frozen=True)
class Delivery:
    """A finished post-processing.

    :param artifacts: published files by name; ``source.mp4`` is always among them.
    :param info: streams of the source.
    :param warnings: sentences for the user: outputs left out, sound missing, what gates have found.
    :param gates: what the quality gates say.
    """

    artifacts: dict[str, Artifact]
    info: MediaInfo
    warnings: list[str]
    gates: tuple[GateResult, ...] = ()


class DeliveryError(MediaError):
    """Something is wrong about a delivery; what could be made is stored.

    :param message: see :class:`~airflow_provider_klingvideo.errors.KlingVideoError`, as are ``facts``.
    :param delivery: everything that was made and found, for the job record; None before it is known.
    """

    def __init__(self, message: str, *, delivery: Delivery | None = None, **facts: Any) -> None:
        self.delivery = delivery
        super().__init__(message, **facts)


class OutputError(DeliveryError):
    """An output that is required could not be made; the source and all other outputs are stored."""

    kind = "output"


class GateError(DeliveryError):
    """A quality gate whose policy is ``fail`` has found something; source and outputs are stored."""

    kind = "gate"
    default_advice = "Look at the stored files; set the gate's policy to warn to accept videos like this one"
