"""What a film is to be: plain values that a DAG's params or a JSON file can hold, checked before anything is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, ValidationError

from airflow_provider_klingvideo.media.decor.decoration import Decoration, LoudnessTarget, short_for
from airflow_provider_klingvideo.media.errors import FilmError
from airflow_provider_klingvideo.media.ffmpeg.blocks import Block
from airflow_provider_klingvideo.media.ffmpeg.plan_faults import faults_of

TransitionKind = Literal[
    "cut",
    "fade",
    "dissolve",
    "fadeblack",
    "fadewhite",
    "wipeleft",
    "wiperight",
    "wipeup",
    "wipedown",
    "slideleft",
    "slideright",
    "slideup",
    "slidedown",
    "circleopen",
    "circleclose",
    "smoothleft",
    "smoothright",
]
CUT = "cut"
LONGEST_SIDE = 8192


def _sides(value: Any) -> Any:
    """Read ``"1280x720"``; other forms are left to the check of the type."""
    return value.lower().split("x") if isinstance(value, str) else value


Side = Annotated[int, Field(ge=16, le=LONGEST_SIDE, multiple_of=2)]
Size = Annotated[tuple[Side, Side], BeforeValidator(_sides)]


class Transition(Block):
    """How one shot becomes the next.

    :param kind: ``cut``, or the name of a transition of ffmpeg's ``xfade``.
    :param seconds: how long both shots are seen; of no meaning for a cut.
    """

    filters: ClassVar[frozenset[str]] = frozenset({"xfade", "acrossfade"})

    kind: TransitionKind = "fade"
    seconds: Annotated[float, Field(gt=0, le=10)] = 0.5


class FilmPlan(Decoration):
    """How clips become one film. Values that are None or empty count as not given.

    :param order: numbers of the clips, from 1, in the order in which they are shown; a clip may come twice, and those
        that are not named are left out. Default: all, as they are given.
    :param transition: between two shots; a kind alone (``"fade"``) takes the default length.
    :param size: width and height in pixels, even, as ``"1280x720"`` or a pair; default: as the first shot is shown.
        Clips of another shape get bars.
    :param fps: frames per second; default: those of the first shot.
    :param loudness: of all fields of a :class:`Decoration` the only one with another default here: -14.
    """

    order: tuple[Annotated[int, Field(ge=1)], ...] = ()
    transition: Annotated[Transition, short_for("kind")] = Transition(kind="cut")
    size: Size | None = None
    fps: Annotated[float, Field(ge=1, le=120)] | None = None
    loudness: LoudnessTarget = -14.0

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Self:
        """Read a plan.

        :param values: its parts by name.
        :raises FilmError: naming every part that is wrong.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise FilmError(faults_of(error, "film")) from error

    @property
    def transition_seconds(self) -> float:
        """How long two shots overlap, 0 for cuts."""
        return 0.0 if self.transition.kind == CUT else self.transition.seconds

    @property
    def blocks(self) -> list[Block]:
        """Everything that needs filters of ffmpeg."""
        transition = self.transition if self.transition_seconds else None
        return [*super().blocks, *([transition] if transition else [])]
