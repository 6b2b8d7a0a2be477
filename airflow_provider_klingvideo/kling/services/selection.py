"""Choosing what is meant in a video, for multi-elements editing: a session of 24 hours (kling-api section 7.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_klingvideo.errors import Fault, quoted
from airflow_provider_klingvideo.kling.errors import InvalidRequestError
from airflow_provider_klingvideo.kling.services.faces import SESSION_LIFETIME, video_source
from airflow_provider_klingvideo.kling.wire.operation import Operation
from airflow_provider_klingvideo.kling.wire.reading import list_of, mapping_of, seconds_of, text_of, whole_number

PATH = "/v1/videos/multi-elements"
MAX_POINTS = 10

Point = tuple[float, float]
"""From the left and from the top, 0 to 1."""


@dataclass(frozen=True)
class SelectionSession:
    """A video in which things can be chosen.

    :param session_id: names it in the other calls and in the request.
    :param width: pixels.
    :param height: pixels.
    :param fps: frames per second.
    :param frames: how many there are.
    :param duration: seconds, None when Kling does not say.
    """

    session_id: str
    width: int
    height: int
    fps: float | None
    frames: int
    duration: float | None


@dataclass(frozen=True)
class SelectedFrame:
    """What is chosen in a frame.

    :param frame_index: the frame.
    :param object_ids: the things.
    """

    frame_index: int
    object_ids: tuple[str, ...]


@dataclass(frozen=True)
class SelectionPreview:
    """The video with what is chosen marked.

    :param video_url: the video, signed.
    :param cover_url: its first picture, signed.
    """

    video_url: str = field(repr=False)
    cover_url: str = field(repr=False)


def init_selection(*, video_url: str | None = None, video_id: str | None = None) -> Operation[SelectionSession]:
    """Begin a session with a video of 2 to 5 or 7 to 10 seconds, given by its URL or by Kling's id."""
    source = video_source(video_url, video_id)
    return Operation(
        "POST",
        f"{PATH}/init-selection",
        _session,
        json=source,
        is_create=True,
        what="init_selection",
        lifetime=SESSION_LIFETIME,
    )


def add_selection(session_id: str, frame_index: int, points: Sequence[Point]) -> Operation[SelectedFrame]:
    """Choose what lies at points of a frame.

    :param frame_index: the frame; things can be chosen in ten frames at most.
    :param points: one to ten.
    :raises InvalidRequestError: for points outside of the picture, none, or too many.
    """
    return Operation("POST", f"{PATH}/add-selection", _frame, json=_points(session_id, frame_index, points))


def delete_selection(session_id: str, frame_index: int, points: Sequence[Point]) -> Operation[SelectedFrame]:
    """Take back what was chosen at these very points of a frame; see :func:`add_selection`."""
    return Operation("POST", f"{PATH}/delete-selection", _frame, json=_points(session_id, frame_index, points))


def clear_selection(session_id: str) -> Operation[None]:
    """Take back everything that was chosen."""
    return Operation("POST", f"{PATH}/clear-selection", lambda _data: None, json={"session_id": session_id})


def preview_selection(session_id: str) -> Operation[SelectionPreview]:
    """Show what is chosen through the whole video."""
    return Operation("POST", f"{PATH}/preview-selection", _preview, json={"session_id": session_id})


def _points(session_id: str, frame_index: int, points: Sequence[Point]) -> dict[str, Any]:
    if not 1 <= len(points) <= MAX_POINTS or any(not 0 <= side <= 1 for point in points for side in point):
        legal = f"one to {MAX_POINTS} pairs of numbers between 0 and 1"
        raise InvalidRequestError(Fault("points", f"{quoted(list(points))} cannot be selected", legal))
    shown = [{"x": x, "y": y} for x, y in points]
    return {"session_id": session_id, "frame_index": frame_index, "points": shown}


def _session(data: Any) -> SelectionSession:
    found = mapping_of(data)
    session_id = text_of(found.get("session_id"))
    if not session_id:
        raise ValueError("the answer names no session")
    return SelectionSession(
        session_id=session_id,
        width=whole_number(found.get("width")),
        height=whole_number(found.get("height")),
        fps=seconds_of(found.get("fps")),
        frames=whole_number(found.get("total_frame")),
        duration=seconds_of(found.get("original_duration")),
    )


def _frame(data: Any) -> SelectedFrame:
    found = mapping_of(mapping_of(data).get("res"))
    masks = list_of(found.get("rle_mask_list"))
    return SelectedFrame(whole_number(found.get("frame_index")), tuple(text_of(one.get("object_id")) for one in masks))


def _preview(data: Any) -> SelectionPreview:
    found = mapping_of(mapping_of(data).get("res"))
    return SelectionPreview(text_of(found.get("video")), text_of(found.get("video_cover")))
