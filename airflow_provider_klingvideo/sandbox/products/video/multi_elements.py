"""Multi-elements editing: the selection session and the task that follows (kling-api section 7.2)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from airflow_provider_klingvideo.sandbox.account.answers import Answer, invalid
from airflow_provider_klingvideo.sandbox.account.catalog import (
    LEGACY_PROMPT_LIMIT,
    MODE_RESOLUTIONS,
    Generation,
    Product,
    clip_seconds,
    frame_size,
)
from airflow_provider_klingvideo.sandbox.account.fields import Fields, parse_object
from airflow_provider_klingvideo.sandbox.account.library import Library
from airflow_provider_klingvideo.sandbox.account.limits import LEGACY_IMAGE, MEGABYTE, MOVIES, Kind, Limits
from airflow_provider_klingvideo.sandbox.account.orders import Order, legacy_options, read_input
from airflow_provider_klingvideo.sandbox.account.tasks import Follow, Result, Task
from airflow_provider_klingvideo.sandbox.account.views import deductions
from airflow_provider_klingvideo.sandbox.products.video.masks import Point, draw_mask
from airflow_provider_klingvideo.sandbox.rules.legacy_fields import parent_video, read_video, required_text
from airflow_provider_klingvideo.sandbox.rules.readers import Reader, RequestContext
from airflow_provider_klingvideo.sandbox.serving.core import Sandbox
from airflow_provider_klingvideo.sandbox.serving.routing import VendorRoute, base_url, sandbox_of

_PATH = "/v1/videos/multi-elements"
_FRAMES = 10
_POINTS = range(1, 11)
# Requested seconds -> how long the film may be for that.
_LENGTHS: dict[int, tuple[float, float]] = {5: (2, 5), 10: (7, 10)}
_FILM = Limits(
    kind=Kind.VIDEO,
    formats=MOVIES,
    max_bytes=200 * MEGABYTE,
    shortest=720,
    longest=2160,
    seconds=tuple(_LENGTHS.values()),
    rates=((24, 24), (30, 30), (60, 60)),
)
_IMAGES = {"addition": range(1, 3), "swap": range(1, 2), "removal": range(1)}
# Units per clip (kling-api section 14: the last prices that were published).
_PRICES = {("std", 5): 3, ("std", 10): 6, ("pro", 5): 5, ("pro", 10): 10}

router = APIRouter(route_class=VendorRoute)


async def _fields(request: Request) -> Fields:
    return Fields(parse_object(await request.body()))


def _session(fields: Fields, library: Library) -> Task:
    session_id = required_text(fields, "session_id")
    task = library.session(session_id, Product.MULTI_ELEMENTS_SELECTION)
    if task is None:
        raise invalid(f"Session id not found: {session_id}")
    return task


@router.post(f"{_PATH}/init-selection")
async def init_selection(request: Request) -> Response:
    """Open a session on a film."""
    sandbox, fields = sandbox_of(request), await _fields(request)
    film = read_video(fields, _FILM, sandbox.library)
    order = Order(
        generation=Generation.LEGACY,
        product=Product.MULTI_ELEMENTS_SELECTION,
        path=request.url.path,
        model=Product.MULTI_ELEMENTS,
        prompt="",
        units=Decimal(0),
        results=(Result(role="normalized"), Result(role="preview"), Result(role="tracking"), Result(type="image")),
        inputs=(film,),
        follow=Follow(shape="video", length="video"),
        details={"selections": {}, **parent_video(film, fields)},
    )
    task = await sandbox.perform(order, base_url(request))
    video, rate = task.results[0], task.inputs[0].facts.frames_per_second if task.inputs[0].facts else 0.0
    data = {
        "status": 0,
        "session_id": task.id,
        "fps": round(rate, 3),
        "original_duration": round(video.seconds * 1000),
        "width": video.width,
        "height": video.height,
        "total_frame": _total_frames(task),
        "normalized_video": sandbox.sign_for(base_url(request))(task, "1.mp4"),
    }
    return Answer(data | deductions(task, task.timeline[-1]))


def _total_frames(task: Task) -> int:
    facts = task.inputs[0].facts
    return round(facts.seconds * facts.frames_per_second) if facts else 0


def _points(fields: Fields) -> list[Point]:
    points = fields.objects("points")
    if len(points) not in _POINTS:
        raise invalid(f"points must have {_POINTS.start} to {_POINTS.stop - 1} items")
    found = []
    for point in points:
        if "x" not in point or "y" not in point:
            raise invalid("points items must have x and y")
        found.append((point.number("x", 0, 0, 1), point.number("y", 0, 0, 1)))
    return found


def _frame(fields: Fields, task: Task) -> str:
    if "frame_index" not in fields:
        raise invalid("frame_index is required")
    return str(fields.integer("frame_index", range(_total_frames(task)), 0))


def _selected(sandbox: Sandbox, task: Task, frame: str) -> Response:
    sandbox.account.keep(task)
    points, video = task.details["selections"].get(frame, []), task.results[0]
    masks = [{"object_id": 0} | draw_mask(points, video.width, video.height)] if points else []
    res = {"frame_index": int(frame), "rle_mask_list": masks}
    return Answer({"status": 0, "session_id": task.id, "res": res})


@router.post(f"{_PATH}/add-selection")
async def add_selection(request: Request) -> Response:
    """Choose points of a frame."""
    sandbox, fields = sandbox_of(request), await _fields(request)
    task = _session(fields, sandbox.library)
    frame, points = _frame(fields, task), _points(fields)
    selections = task.details["selections"]
    if frame not in selections and len(selections) >= _FRAMES:
        raise invalid(f"at most {_FRAMES} frames can be selected")
    selections[frame] = [*selections.get(frame, []), *points]
    return _selected(sandbox, task, frame)


@router.post(f"{_PATH}/delete-selection")
async def delete_selection(request: Request) -> Response:
    """Take back points of a frame, which have to equal earlier ones."""
    sandbox, fields = sandbox_of(request), await _fields(request)
    task = _session(fields, sandbox.library)
    frame, points = _frame(fields, task), _points(fields)
    selections = task.details["selections"]
    left = [tuple(point) for point in selections.get(frame, [])]
    for point in points:
        if point not in left:
            raise invalid("points must be equal to points that were added before")
        left.remove(point)
    selections[frame] = left
    if not left:
        del selections[frame]
    return _selected(sandbox, task, frame)


@router.post(f"{_PATH}/clear-selection")
async def clear_selection(request: Request) -> Response:
    """Take back everything."""
    sandbox = sandbox_of(request)
    task = _session(await _fields(request), sandbox.library)
    task.details["selections"] = {}
    sandbox.account.keep(task)
    return Answer({"status": 0, "session_id": task.id})


@router.post(f"{_PATH}/preview-selection")
async def preview_selection(request: Request) -> Response:
    """Show what is chosen."""
    sandbox = sandbox_of(request)
    task = _session(await _fields(request), sandbox.library)
    sign = sandbox.sign_for(base_url(request))
    files = {"video": "2.mp4", "video_cover": "4.png", "tracking_output": "3.mp4"}
    res = {name: sign(task, tail) for name, tail in files.items()}
    return Answer({"status": 0, "session_id": task.id, "res": res})


def _read(fields: Fields, context: RequestContext) -> Order:
    session = _session(fields, context.library)
    edit = fields.choice("edit_mode", _IMAGES, "")
    if not edit:
        raise invalid("edit_mode is required")
    images = fields.objects("image_list")
    if len(images) not in _IMAGES[edit]:
        raise invalid(f"image_list has the wrong number of images for edit_mode '{edit}'")
    prompt = required_text(fields, "prompt", LEGACY_PROMPT_LIMIT)
    fields.text("negative_prompt", LEGACY_PROMPT_LIMIT)
    mode = fields.choice("mode", ("std", "pro"), "std")
    seconds = fields.integer("duration", _LENGTHS, 5, as_text=True)
    film = session.results[0]
    if _FILM.model_copy(update={"seconds": (_LENGTHS[seconds],)}).problem(session.inputs[0].facts):
        raise invalid(f"duration value '{seconds}' does not fit a video of {film.seconds:.3f} seconds")
    width, height = frame_size((film.width, film.height), MODE_RESOLUTIONS[mode])
    extra: dict[str, Any] = {"session_id": session.id}
    return Order(
        generation=Generation.LEGACY,
        product=Product.MULTI_ELEMENTS,
        path=context.path,
        model=Product.MULTI_ELEMENTS,
        prompt=prompt,
        units=Decimal(_PRICES[mode, seconds]),
        results=(Result(width=width, height=height, seconds=clip_seconds(seconds), legacy_extra=extra),),
        inputs=tuple(read_input("image", required_text(item, "image"), LEGACY_IMAGE) for item in images),
        resolution=MODE_RESOLUTIONS[mode],
        seconds=seconds,
        **legacy_options(fields),
    )


READERS: dict[str, Reader] = {_PATH: _read}
