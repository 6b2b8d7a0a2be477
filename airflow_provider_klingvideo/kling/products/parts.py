"""Parts of requests that several products share, and the handles by which a prompt speaks of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from airflow_provider_klingvideo.errors import Fault, quoted
from airflow_provider_klingvideo.kling.products.base import Part, Text


class Element(Part):
    """A character, an animal or a thing from the account's element library.

    :param element_id: Kling's id of it.
    :param id: a handle of your own; ``@id`` in the prompt means the element.
    """

    element_id: Text
    id: Text


class Voice(Part):
    """A voice from the account's voice library.

    :param voice_id: Kling's id of it.
    :param id: a handle of your own; ``@id`` in the prompt means the voice.
    """

    voice_id: Text
    id: Text


class Shot(Part):
    """One of several shots of a video.

    :param prompt: what it shows, at most 512 characters.
    :param seconds: its length; all together they are as long as the video.
    """

    prompt: Text
    seconds: int


# kling-api sections 6.3 and 7.2.
MAX_SHOTS = 6
MAX_SHOT_PROMPT = 512


def shots_faults(shots: Sequence[Shot], duration: int) -> Iterator[Fault]:
    """Yield what is wrong with the shots of a video (kling-api sections 6.3 and 7.2)."""
    if len(shots) > MAX_SHOTS:
        yield Fault("shots", f"has {len(shots)} entries", f"at most {MAX_SHOTS}")
    for number, shot in enumerate(shots, start=1):
        if shot.seconds < 1:
            yield Fault(f"shots.{number - 1}.seconds", f"{shot.seconds} is too small", "at least 1")
        if len(shot.prompt) > MAX_SHOT_PROMPT:
            legal = f"at most {MAX_SHOT_PROMPT} characters"
            yield Fault(f"shots.{number - 1}.prompt", f"has {len(shot.prompt)} characters", legal)
    if shots and (total := sum(shot.seconds for shot in shots)) != duration:
        yield Fault("shots", f"last {total} s together", f"{duration} s, which is the duration")


def shots_prompt(shots: Sequence[Shot]) -> str:
    """Write shots as the new family reads them (kling-api section 6.3)."""
    return " ".join(f"shot {number}, {shot.seconds}, {shot.prompt};" for number, shot in enumerate(shots, start=1))


def multi_prompt(shots: Sequence[Shot]) -> list[dict[str, Any]]:
    """Write shots as the legacy family reads them (kling-api section 7.2)."""
    return [
        {"index": number, "prompt": shot.prompt, "duration": str(shot.seconds)}
        for number, shot in enumerate(shots, start=1)
    ]


Handles = Mapping[str, Sequence[str | None]]
"""By which a prompt speaks of things: handles by the legacy family's word for them, in order."""


def handle_faults(handles: Handles) -> Iterator[Fault]:
    """Yield handles that are given twice (kling-api section 6.3)."""
    for handle, count in Counter(chain.from_iterable(handles.values())).items():
        if handle is not None and count > 1:
            yield Fault("id", f"{quoted(handle)} is given {count} times", "an id of its own for each")


def with_placeholders(prompt: str, names: Handles) -> str:
    """Return a prompt in which ``@id`` is written as the legacy family wants it: ``<<<element_1>>>``.

    :param prompt: what the user wrote.
    :param names: see :data:`Handles`.
    """
    placeholders = {
        handle: f"<<<{word}_{number}>>>"
        for word, handles in names.items()
        for number, handle in enumerate(handles, start=1)
        if handle
    }
    if not placeholders:
        return prompt
    # The longest first: one handle may begin with another.
    pattern = "|".join(re.escape(handle) for handle in sorted(placeholders, key=len, reverse=True))
    return re.sub(f"@({pattern})", lambda found: placeholders[found[1]], prompt)


def element_list(elements: Sequence[Element]) -> list[dict[str, Any]]:
    """Write elements as the legacy family reads them: their ids are numbers there (kling-api section 7.4)."""
    return [{"element_id": int(one.element_id) if one.element_id.isdecimal() else one.element_id} for one in elements]
