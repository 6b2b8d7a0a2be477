"""Multi-shot prompts of both generations (kling-api sections 6.3 and 7.2)."""

from __future__ import annotations

import re

from airflow_provider_klingvideo.sandbox.account.answers import invalid
from airflow_provider_klingvideo.sandbox.account.fields import Fields

_SHOT = re.compile(r"shot\s+(\d+)\s*,\s*(\d+)\s*,\s*([^;]*);", re.IGNORECASE)
_SHOTS = range(1, 7)
_WORDS = 512


def check_shots(prompt: str, seconds: int) -> None:
    """Check the shots that a prompt of the new generation has, if any.

    :param seconds: of the whole clip.
    """
    shots = _SHOT.findall(prompt)
    if not shots:
        return
    if any(int(number) not in _SHOTS or int(length) < 1 or len(words) > _WORDS for number, length, words in shots):
        raise invalid("multi-shot prompt is invalid")
    if sum(int(length) for _, length, _ in shots) != seconds:
        raise invalid("the total duration of all shots must be equal to settings.duration")


def legacy_shot_type(fields: Fields) -> str:
    """``customize`` or ``intelligence``, required as soon as ``multi_shot`` is true."""
    shot_type = fields.choice("shot_type", ("customize", "intelligence"), "")
    if not shot_type:
        raise invalid("shot_type is required when multi_shot is true")
    return shot_type


def legacy_shots(fields: Fields, seconds: int) -> str:
    """The words of the shots of ``multi_prompt``.

    :param seconds: of the whole clip.
    """
    shots = fields.objects("multi_prompt")
    if len(shots) not in _SHOTS:
        raise invalid(f"multi_prompt must have {_SHOTS.start} to {_SHOTS.stop - 1} items")
    allowed = range(1, seconds + 1)
    if sum(shot.integer("duration", allowed, 0, as_text=True) for shot in shots) != seconds:
        raise invalid("the total duration of multi_prompt must be equal to duration")
    return " / ".join(shot.text("prompt", _WORDS) for shot in shots)
