"""What a film is to be: plain values that a DAG's params or a JSON file can hold, checked before anything is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import BeforeValidator, Field, ValidationError

from airflow_provider_klingvideo.media.blocks import Block
from airflow_provider_klingvideo.media.errors import FilmError
from airflow_provider_klingvideo.media.overlays import Caption, Logo, Subtitles, Title
from airflow_provider_klingvideo.media.sound import Music, Voice

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
KEEP: Final = "keep"
FILE_FIELDS = frozenset({"file", "fontfile"})
LONGEST_SIDE = 8192


def _short_for(field: str) -> BeforeValidator:
    """Let a single value stand for a block of which only one field is given."""
    return BeforeValidator(lambda value: value if isinstance(value, Mapping | Block) else {field: value})


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


class FilmPlan(Block):
    """How clips become one film. Values that are None or empty count as not given.

    :param order: numbers of the clips, from 1, in the order in which they are shown; a clip may come twice, and those
        that are not named are left out. Default: all, as they are given.
    :param transition: between two shots; a kind alone (``"fade"``) takes the default length.
    :param size: width and height in pixels, even, as ``"1280x720"`` or a pair; default: as the first shot is shown.
        Clips of another shape get bars.
    :param fps: frames per second; default: those of the first shot.
    :param title: drawn over the opening; a text alone takes the default look.
    :param captions: further texts.
    :param logo: a picture in a corner. Of this and the next three, the name of a file alone takes the defaults.
    :param subtitles: burnt into the pictures, or a track of their own.
    :param music: below everything.
    :param voice: a narration.
    :param loudness: LUFS to which the sound is brought, -14 is what video platforms play at; ``keep`` leaves it.
    """

    order: tuple[Annotated[int, Field(ge=1)], ...] = ()
    transition: Annotated[Transition, _short_for("kind")] = Transition(kind="cut")
    size: Size | None = None
    fps: Annotated[float, Field(ge=1, le=120)] | None = None
    title: Annotated[Title, _short_for("text")] | None = None
    captions: tuple[Caption, ...] = ()
    logo: Annotated[Logo, _short_for("file")] | None = None
    subtitles: Annotated[Subtitles, _short_for("file")] | None = None
    music: Annotated[Music, _short_for("file")] | None = None
    voice: Annotated[Voice, _short_for("file")] | None = None
    loudness: Annotated[float, Field(ge=-70, le=-5)] | Literal["keep"] = -14.0

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Self:
        """Read a plan.

        :param values: its parts by name.
        :raises FilmError: naming every part that is wrong.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            faults = "; ".join(
                f"{'.'.join(map(str, fault['loc'])) or 'film'}: {fault['msg']}" for fault in error.errors()
            )
            raise FilmError(f"The plan of the film is not legal: {faults}") from error

    @property
    def transition_seconds(self) -> float:
        """How long two shots overlap, 0 for cuts."""
        return 0.0 if self.transition.kind == CUT else self.transition.seconds

    @property
    def overlays(self) -> list[Caption | Logo | Subtitles]:
        """What is drawn over the pictures, the lowest first."""
        burnt = self.subtitles if self.subtitles and self.subtitles.mode == "burn" else None
        return [one for one in (self.logo, *self.captions, self.title, burnt) if one is not None]

    @property
    def blocks(self) -> list[Block]:
        """Everything that needs filters of ffmpeg."""
        transition = self.transition if self.transition_seconds else None
        return [*self.overlays, *(one for one in (transition, self.music, self.voice) if one is not None)]

    @property
    def muxed_subtitles(self) -> Subtitles | None:
        """The subtitles that become a track."""
        return self.subtitles if self.subtitles and self.subtitles.mode == "mux" else None

    @property
    def files(self) -> list[str]:
        """The names of all files that the plan needs, each once."""
        found: dict[str, None] = {}
        _with_files(self.model_dump(), lambda name: found.setdefault(name))
        return list(found)

    def with_files(self, names: Mapping[str, str]) -> Self:
        """Return the plan with other names of its files.

        :param names: the new ones by the old ones.
        """
        return type(self).model_validate(_with_files(self.model_dump(), names.__getitem__))


def _with_files(value: Any, rename: Callable[[str], Any]) -> Any:
    if isinstance(value, list | tuple):
        return [_with_files(item, rename) for item in value]
    if not isinstance(value, Mapping):
        return value
    return {
        name: rename(item) if name in FILE_FIELDS and item else _with_files(item, rename)
        for name, item in value.items()
    }
