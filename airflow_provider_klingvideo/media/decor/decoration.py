"""What pictures and sound can carry: logo, texts, subtitles, music, a voice, a loudness; films and outputs alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, Field

from airflow_provider_klingvideo.media.decor.overlays import Caption, Logo, Subtitles, Title
from airflow_provider_klingvideo.media.decor.sound import LEVELLING, MIXING, Music, Voice, as_film_sound, silence
from airflow_provider_klingvideo.media.ffmpeg.blocks import Block, Canvas

KEEP: Final = "keep"
FILE_FIELDS = frozenset({"file", "fontfile"})

LoudnessTarget = Annotated[float, Field(ge=-70, le=-5)] | Literal["keep"]


def short_for(field: str) -> BeforeValidator:
    """Let a single value stand for a block of which only one field is given."""
    return BeforeValidator(lambda value: value if isinstance(value, Mapping | Block) else {field: value})


class Decoration(Block):
    """What is drawn over pictures and mixed with sound. Values that are None or empty count as not given.

    :param title: drawn over the opening; a text alone takes the default look.
    :param captions: further texts.
    :param logo: a picture in a corner. Of this and the next three, the name of a file alone takes the defaults.
    :param subtitles: burnt into the pictures, or a track of their own.
    :param music: below everything.
    :param voice: a narration.
    :param loudness: LUFS to which the sound is brought, -14 is what video platforms play at; ``keep`` leaves it.
    """

    title: Annotated[Title, short_for("text")] | None = None
    captions: tuple[Caption, ...] = ()
    logo: Annotated[Logo, short_for("file")] | None = None
    subtitles: Annotated[Subtitles, short_for("file")] | None = None
    music: Annotated[Music, short_for("file")] | None = None
    voice: Annotated[Voice, short_for("file")] | None = None
    loudness: LoudnessTarget = KEEP

    @property
    def overlays(self) -> list[Caption | Logo | Subtitles]:
        """What is drawn over the pictures, the lowest first."""
        burnt = self.subtitles if self.subtitles and self.subtitles.mode == "burn" else None
        return [one for one in (self.logo, *self.captions, self.title, burnt) if one is not None]

    @property
    def muxed_subtitles(self) -> Subtitles | None:
        """The subtitles that become a track."""
        return self.subtitles if self.subtitles and self.subtitles.mode == "mux" else None

    @property
    def sounds(self) -> list[Music | Voice]:
        """What is mixed with the sound, in this order: the music gives way to the voice."""
        return [one for one in (self.voice, self.music) if one is not None]

    @property
    def blocks(self) -> list[Block]:
        """Everything that needs filters of ffmpeg."""
        return [*self.overlays, *self.sounds]

    @property
    def parts(self) -> dict[str, Block]:
        """Everything that is drawn or mixed, by its field."""
        captions = {f"captions.{number}": one for number, one in enumerate(self.captions)}
        single = {name: getattr(self, name) for name in ("title", "logo", "subtitles", "music", "voice")}
        return {name: part for name, part in (single | captions).items() if part is not None}

    @property
    def needed_filters(self) -> frozenset[str]:
        """Filters of ffmpeg that it needs."""
        sound = (MIXING if self.sounds else frozenset(), LEVELLING if self.loudness != KEEP else frozenset())
        return frozenset().union(*sound, *(block.filters for block in self.blocks))

    @property
    def files(self) -> list[str]:
        """The names of all files that it needs, each once."""
        found: dict[str, None] = {}
        _with_files(self.model_dump(), lambda name: found.setdefault(name))
        return list(found)

    def with_files(self, names: Mapping[str, str]) -> Self:
        """Return the same with other names of its files.

        :param names: the new ones by the old ones.
        """
        return type(self).model_validate(_with_files(self.model_dump(), names.__getitem__))

    def drawn(self, frames: Any, canvas: Canvas) -> Any:
        """Draw all overlays on pictures.

        :param frames: a stream whose times are those of the whole.
        :raises FilmError: a file is not what it has to be, or there is no font.
        :raises FFmpegMissingError: this ffmpeg lacks a filter.
        """
        for overlay in self.overlays:
            frames = overlay.apply(frames, canvas)
        return frames

    def mixed(self, sound: Any, seconds: float) -> Any:
        """Mix a sound with the voice and the music.

        :param sound: a stream that lasts as long as the pictures, None where there is none.
        :param seconds: how long that is.
        :returns: 48 kHz stereo, None when there is nothing to hear.
        :raises FilmError: a file is no sound.
        """
        if sound is None and not self.sounds:
            return None
        mixed = silence(seconds) if sound is None else as_film_sound(sound)
        for one in self.sounds:
            mixed = one.apply(mixed, seconds)
        return mixed


def _with_files(value: Any, rename: Callable[[str], Any]) -> Any:
    if isinstance(value, list | tuple):
        return [_with_files(item, rename) for item in value]
    if not isinstance(value, Mapping):
        return value
    return {
        name: rename(item) if name in FILE_FIELDS and item else _with_files(item, rename)
        for name, item in value.items()
    }
