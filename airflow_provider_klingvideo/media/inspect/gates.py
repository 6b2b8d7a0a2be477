"""Judge a source by what was found in it, and by what was ordered."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from airflow_provider_klingvideo.media.inspect.findings import Findings, Span
from airflow_provider_klingvideo.media.inspect.probing import MediaInfo
from airflow_provider_klingvideo.media.settings import Expected, MediaSettings

# A sound that is nearly all silence is none.
SILENT_SHARE = 0.98

Policy = Literal["off", "warn", "fail"]


class PlanPart(BaseModel):
    """A part of a plan that a user writes: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Gates(PlanPart):
    """What is looked for in the source, and what happens when it is found: off, warn or fail.

    :param black: a black stretch of ``black_seconds`` or more.
    :param frozen: a stretch of ``frozen_seconds`` or more in which nothing moves.
    :param silent: no sound, or nothing but silence, where sound was asked for.
    :param duration: another duration than Kling reported. ``fail`` cuts nothing from such a source.
    :param size: another size than was asked for.
    :param decode: damaged pictures or sound. ``fail`` cuts nothing from such a source.
    :param black_seconds: the shortest stretch that counts, 0.1 to 3600.
    :param frozen_seconds: the shortest stretch that counts, 0.5 to 3600.
    """

    black: Policy = "off"
    frozen: Policy = "off"
    silent: Policy = "warn"
    duration: Policy = "fail"
    size: Policy = "warn"
    decode: Policy = "fail"
    black_seconds: Annotated[float, Field(ge=0.1, le=3600)] = 1.0
    frozen_seconds: Annotated[float, Field(ge=0.5, le=3600)] = 2.0


class GateResult(BaseModel):
    """What a gate says of a source.

    :param gate: its name in :class:`~airflow_provider_klingvideo.media.Gates`.
    :param policy: ``warn`` or ``fail``.
    :param passed: whether nothing was found.
    :param message: what was found, empty when nothing was.
    :param spans: where, in seconds from the beginning.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    gate: str
    policy: Policy
    passed: bool
    message: str = ""
    spans: tuple[Span, ...] = ()


@dataclass(frozen=True)
class _Case:
    gates: Gates
    findings: Findings
    info: MediaInfo
    expected: Expected
    settings: MediaSettings


_Verdict = tuple[str, tuple[Span, ...]]
_PASSED: _Verdict = ("", ())


def measures_for(gates: Gates, info: MediaInfo, expected: Expected) -> frozenset[str]:
    """What has to be measured, keys of :data:`~airflow_provider_klingvideo.media.inspect.findings.MEASURES`."""
    needed = {name for name in ("black", "frozen") if getattr(gates, name) != "off"}
    if gates.silent != "off" and expected.audio and info.audio_codec:
        needed.add("silent")
    return frozenset(needed)


def judge(
    gates: Gates, findings: Findings, info: MediaInfo, expected: Expected, settings: MediaSettings
) -> tuple[GateResult, ...]:
    """Pass a source through all gates that are not off."""
    case = _Case(gates, findings, info, expected, settings)
    results = []
    for gate, verdict in _GATES.items():
        policy: Policy = getattr(gates, gate)
        if policy != "off":
            message, spans = verdict(case)
            results.append(GateResult(gate=gate, policy=policy, passed=not message, message=message, spans=spans))
    return tuple(results)


def _black(case: _Case) -> _Verdict:
    return _stretches("is black", case.findings.black or (), case.gates.black_seconds)


def _frozen(case: _Case) -> _Verdict:
    return _stretches("does not move", case.findings.frozen or (), case.gates.frozen_seconds)


def _stretches(words: str, spans: Iterable[Span], seconds: float) -> _Verdict:
    long = tuple(span for span in spans if span[1] - span[0] >= seconds)
    where = ", ".join(f"{start:.2f}-{end:.2f} s" for start, end in long)
    return (f"The video {words} at {where}", long) if long else _PASSED


def _silent(case: _Case) -> _Verdict:
    if not case.expected.audio:
        return _PASSED
    if case.info.audio_codec is None:
        return "The video has no sound, though sound was ordered", ()
    spans = case.findings.silent or ()
    if sum(end - start for start, end in spans) < SILENT_SHARE * case.info.duration:
        return _PASSED
    return "The video is silent, though sound was ordered", spans


def _duration(case: _Case) -> _Verdict:
    wanted, found = case.expected.duration, case.info.duration
    if wanted is None or abs(found - wanted) <= case.settings.duration_tolerance:
        return _PASSED
    return f"The video lasts {found:.2f} s, but Kling reported {wanted:.2f} s", ()


def _size(case: _Case) -> _Verdict:
    wanted, found = case.expected.size, case.info.display_size
    if wanted is None or wanted == found:
        return _PASSED
    return f"The video is {found[0]}x{found[1]}, but {wanted[0]}x{wanted[1]} was ordered", ()


def _decode(case: _Case) -> _Verdict:
    return ("Pictures or sounds of the video are damaged", ()) if case.findings.damaged else _PASSED


_GATES: dict[str, Callable[[_Case], _Verdict]] = {
    "black": _black,
    "frozen": _frozen,
    "silent": _silent,
    "duration": _duration,
    "size": _size,
    "decode": _decode,
}
