"""Speech from text, at once (kling-api section 7.3). It costs money, and has no external id to find it by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from airflow_provider_klingvideo.errors import Fault, quoted
from airflow_provider_klingvideo.kling.errors import InvalidRequestError
from airflow_provider_klingvideo.kling.wire.operation import Operation
from airflow_provider_klingvideo.kling.wire.tasks import parse_task

RESULT_LIFETIME = timedelta(days=29)
"""Kling keeps a speech, and other results, for 30 days (kling-api section 7.3)."""
LONGEST_TEXT = 1000
SPEEDS = (0.8, 2.0)
LANGUAGES = ("zh", "en")


@dataclass(frozen=True)
class Speech:
    """A speech that Kling made.

    :param audio_id: names it in avatar and lip-sync requests, for 30 days.
    :param url: where it lies, signed.
    :param duration: seconds, None when Kling does not say.
    """

    audio_id: str
    url: str = field(repr=False)
    duration: float | None


def speak(text: str, *, voice_id: str, language: Literal["zh", "en"] = "en", speed: float = 1.0) -> Operation[Speech]:
    """Speak a text at once. It costs money, and a call that is not answered cannot be looked up.

    :param text: at most 1000 characters.
    :param voice_id: a voice of Kling's own catalogue for speech, see ``klingvideo models --voices``.
    :param language: of the text, ``zh`` or ``en``.
    :param speed: 0.8 to 2.
    :raises InvalidRequestError: for a text, a language or a speed that Kling would refuse.
    """
    if faults := [*_faults(text, language, speed)]:
        raise InvalidRequestError(faults)
    body = {"text": text, "voice_id": voice_id, "voice_language": language, "voice_speed": speed}
    return Operation("POST", "/v1/audio/tts", _speech, json=body, is_create=True, what="tts", lifetime=RESULT_LIFETIME)


def _faults(text: str, language: str, speed: float) -> Iterator[Fault]:
    low, high = SPEEDS
    if not text.strip():
        yield Fault("text", f"{quoted(text)} is blank", "a text that says something")
    if len(text) > LONGEST_TEXT:
        yield Fault("text", f"has {len(text)} characters", f"at most {LONGEST_TEXT} characters")
    if language not in LANGUAGES:
        yield Fault("language", f"{quoted(language)} is not offered", ", ".join(LANGUAGES))
    if not low <= speed <= high:
        yield Fault("speed", f"{quoted(speed)} is not offered", f"{low:g} to {high:g}")


def _speech(data: Any) -> Speech:
    task = parse_task(data) if isinstance(data, Mapping) else None
    audio = next((one for one in task.outputs if one.type == "audio" and one.id), None) if task else None
    if audio is None or audio.id is None:
        raise ValueError("the answer names no sound")
    return Speech(audio.id, audio.url, audio.duration)
