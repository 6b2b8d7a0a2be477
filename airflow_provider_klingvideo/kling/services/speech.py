"""Speech from text, at once (kling-api section 7.3). It costs money, and has no external id to find it by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from airflow_provider_klingvideo.kling.errors import InvalidRequestError
from airflow_provider_klingvideo.kling.wire.operation import Operation
from airflow_provider_klingvideo.kling.wire.tasks import parse_task

RESULT_LIFETIME = timedelta(days=29)
"""Kling keeps a speech, and other results, for 30 days (kling-api section 7.3)."""
LONGEST_TEXT = 1000
SPEEDS = (0.8, 2.0)


@dataclass(frozen=True)
class Speech:
    """A speech that the vendor made.

    :param audio_id: names it in avatar and lip-sync requests, for 30 days.
    :param url: where it lies, signed.
    :param duration: seconds, None when the vendor does not say.
    """

    audio_id: str
    url: str = field(repr=False)
    duration: float | None


def speak(text: str, *, voice_id: str, language: Literal["zh", "en"] = "en", speed: float = 1.0) -> Operation[Speech]:
    """Speak a text at once. It costs money, and a call that is not answered cannot be looked up.

    :param text: at most 1000 characters.
    :param voice_id: a voice of the vendor's own catalogue for speech, see ``klingvideo models --voices``.
    :param language: of the text, ``zh`` or ``en``.
    :param speed: 0.8 to 2.
    :raises InvalidRequestError: for a text, a language or a speed that the vendor would refuse.
    """
    low, high = SPEEDS
    faults = [
        *([] if text.strip() else ["text must not be blank"]),
        *([f"text has {len(text)} characters, at most {LONGEST_TEXT}"] if len(text) > LONGEST_TEXT else []),
        *([] if language in ("zh", "en") else [f"language is {language}, legal: zh, en"]),
        *([] if low <= speed <= high else [f"speed is {speed:g}, legal: {low:g} to {high:g}"]),
    ]
    if faults:
        raise InvalidRequestError(f"This cannot be spoken: {'; '.join(faults)}")
    body = {"text": text, "voice_id": voice_id, "voice_language": language, "voice_speed": speed}
    return Operation("POST", "/v1/audio/tts", _speech, json=body, is_create=True, what="tts", lifetime=RESULT_LIFETIME)


def _speech(data: Any) -> Speech:
    task = parse_task(data) if isinstance(data, Mapping) else None
    audio = next((one for one in task.outputs if one.type == "audio" and one.id), None) if task else None
    if audio is None or audio.id is None:
        raise ValueError("the answer names no sound")
    return Speech(audio.id, audio.url, audio.duration)
