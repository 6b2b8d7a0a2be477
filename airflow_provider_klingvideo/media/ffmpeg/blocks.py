"""What the building blocks of films have in common: they are read strictly, and say what of ffmpeg they need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, model_validator

from airflow_provider_klingvideo.media.errors import FFmpegMissingError
from airflow_provider_klingvideo.media.ffmpeg.binaries import Features

NOT_GIVEN = (None, "")


@dataclass(frozen=True)
class Canvas:
    """What overlays are drawn on.

    :param width: pixels of every frame.
    :param height: pixels.
    :param folder: where texts are written for ffmpeg to read, so that they never appear in a command.
    :param features: what this ffmpeg can do.
    """

    width: int
    height: int
    folder: Path
    features: Features


class Block(BaseModel):
    """One part of a plan."""

    # A template that gives native values makes a number of the title "1984".
    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    filters: ClassVar[frozenset[str]] = frozenset()
    """Filters of ffmpeg that it needs."""

    @property
    def material(self) -> str | None:
        """The name of the file that it is made of."""
        return getattr(self, "file", None)

    @model_validator(mode="before")
    @classmethod
    def _leave_out_what_is_empty(cls, values: Any) -> Any:
        """A form that was left empty, or a template that gave nothing, asks for the default."""
        if not isinstance(values, Mapping):
            return values
        return {name: value for name, value in values.items() if value not in NOT_GIVEN}

    def require(self, features: Features) -> None:
        """Refuse an ffmpeg that cannot do this.

        :raises FFmpegMissingError: naming what it lacks.
        """
        if missing := sorted(self.filters - features.filters):
            raise FFmpegMissingError(
                f"{type(self).__name__} needs the ffmpeg filter {' and '.join(missing)}, which this ffmpeg lacks",
                advice="Install one that has it: pip install 'airflow-provider-klingvideo[ffmpeg]'",
            )
