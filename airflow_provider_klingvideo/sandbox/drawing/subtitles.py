"""Writes the subtitle files of results: cues that follow from the length of the film and the glossary."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_provider_klingvideo.sandbox.drawing.commissions import Commission

_CUE_SECONDS = 3.0
_MARK = "SANDBOX - not made by Kling AI"

_ASS_HEAD = f"""[Script Info]
; {_MARK}
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize, Alignment, MarginL, MarginR, MarginV
Style: Default,Arial,24,2,10,10,10

[Events]
Format: Layer, Start, End, Style, Text
"""


def srt(commission: Commission) -> None:
    """Write a SubRip file."""
    cues = enumerate(_cues(commission), 1)
    _write(
        commission,
        "\n".join(f"{n}\n{_srt_time(begin)} --> {_srt_time(end)}\n{text}\n" for n, (begin, end, text) in cues),
    )


def ass(commission: Commission) -> None:
    """Write an Advanced SubStation Alpha file."""
    lines = (
        f"Dialogue: 0,{_ass_time(begin)},{_ass_time(end)},Default,{text}\n" for begin, end, text in _cues(commission)
    )
    _write(commission, _ASS_HEAD + "".join(lines))


def _cues(commission: Commission) -> Iterator[tuple[float, float, str]]:
    length = commission.result.seconds if commission.seconds is None else commission.seconds
    # A term of the glossary could end a cue or begin a tag: only its first line is shown, without braces.
    terms = [
        " ".join(target.split()).replace("{", "(").replace("}", ")")
        for _, target in commission.task.details["glossary"]
    ]
    texts = [_MARK, *terms]
    for number in range(max(1, int(-(-length // _CUE_SECONDS)))):
        begin = number * _CUE_SECONDS
        yield begin, min(begin + _CUE_SECONDS, length), texts[number % len(texts)]


def _parts(seconds: float) -> tuple[int, int, int, int]:
    millis = round(seconds * 1000)
    return millis // 3_600_000, millis // 60_000 % 60, millis // 1000 % 60, millis % 1000


def _srt_time(seconds: float) -> str:
    hours, minutes, rest, millis = _parts(seconds)
    return f"{hours:02}:{minutes:02}:{rest:02},{millis:03}"


def _ass_time(seconds: float) -> str:
    hours, minutes, rest, millis = _parts(seconds)
    return f"{hours}:{minutes:02}:{rest:02}.{millis // 10:02}"


def _write(commission: Commission, text: str) -> None:
    part = commission.target.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.replace(commission.target)
