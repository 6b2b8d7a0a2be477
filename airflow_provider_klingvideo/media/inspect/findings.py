"""What is looked for in a source while it is decoded anyway: black, frozen and silent stretches."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

Span = tuple[float, float]

_NOTE = re.compile(r"^(lavfi\.[\w.]+)=([\d.]+)$", re.MULTILINE)


class Findings(BaseModel):
    """What was found in a source; None stands for what was not looked for.

    :param black: black stretches, in seconds from the beginning.
    :param frozen: stretches in which nothing moves.
    :param silent: stretches of the first audio track below -50 dB.
    :param damaged: whether a picture or sound does not decode.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    black: tuple[Span, ...] | None = None
    frozen: tuple[Span, ...] | None = None
    silent: tuple[Span, ...] | None = None
    damaged: bool | None = None

    def joined(self, other: Findings) -> Findings:
        """Both together; what the other one knows counts."""
        return self.model_copy(update=other.model_dump(exclude_none=True))


@dataclass(frozen=True)
class Measure:
    """A row of the table of detectors.

    :param sound: whether it listens instead of looking.
    :param detector: ffmpeg's filter.
    :param arguments: of the filter.
    :param start: the metadata that it writes where a stretch begins.
    :param end: the same where it ends; a stretch that lasts to the end has none.
    """

    sound: bool
    detector: str
    arguments: Mapping[str, Any]
    start: str
    end: str


MEASURES: dict[str, Measure] = {
    "black": Measure(False, "blackdetect", {"d": 0.1}, "lavfi.black_start", "lavfi.black_end"),
    "frozen": Measure(
        False, "freezedetect", {"d": 0.5}, "lavfi.freezedetect.freeze_start", "lavfi.freezedetect.freeze_end"
    ),
    "silent": Measure(True, "silencedetect", {"n": "-50dB", "d": 0.1}, "lavfi.silence_start", "lavfi.silence_end"),
}
# ffmpeg's log is no place for it: at the level of errors nothing would be printed.
NOTES = {False: ("metadata", "measured-pictures.txt"), True: ("ametadata", "measured-sound.txt")}


def measured(stream: Any, names: Collection[str], folder: Path, *, sound: bool) -> Any:
    """A stream that writes what is found in it into a text file.

    :param stream: decoded pictures or sound.
    :param names: keys of :data:`MEASURES`.
    :param folder: of the text file.
    :param sound: which of the two it is.
    """
    rows = [row for name, row in MEASURES.items() if name in names and row.sound is sound]
    if not rows:
        return stream
    # The detectors' own pixel formats must not spread to the other branches.
    stream = stream if sound else stream.filter("format", "yuv420p")
    for row in rows:
        stream = stream.filter(row.detector, **row.arguments)
    printer, file = NOTES[sound]
    return stream.filter(printer, "print", file=str(folder / file))


def read_findings(names: Collection[str], folder: Path, duration: float) -> Findings:
    """Read what :func:`measured` let ffmpeg write.

    :param duration: of the source, in seconds: where a stretch ends that lasts to the end.
    """
    notes = [
        match.groups()
        for _, file in NOTES.values()
        if (folder / file).exists()
        for match in _NOTE.finditer((folder / file).read_text(encoding="utf-8"))
    ]
    return Findings(**{name: tuple(_spans(MEASURES[name], notes, duration)) for name in names})


def _spans(row: Measure, notes: Collection[tuple[str, ...]], duration: float) -> Iterator[Span]:
    begun: float | None = None
    for key, value in notes:
        if key == row.start:
            begun = float(value)
        elif key == row.end and begun is not None:
            yield begun, float(value)
            begun = None
    if begun is not None:
        yield begun, max(begun, duration)
