"""The request bodies of the new generation, for the OpenAPI document (kling-api sections 6.2 and 6.3)."""

from __future__ import annotations

from typing import Any

from airflow_provider_klingvideo.sandbox.openapi.parts import (
    FILM,
    IMAGE,
    PROMPT,
    Body,
    Schema,
    address,
    array,
    choice,
    contents,
    flag,
    item,
    millis,
    new_options,
    picture,
    record,
    text,
    whole,
)

_SHAPE = choice("16:9", "9:16", "1:1", default="16:9")
_HD = choice("720p", "1080p", default="720p")
_UP_TO_4K = choice("720p", "1080p", "4k", default="720p")
_SHOTS = flag(True, "whether a prompt of shots (shot 1, 2, words; ...) is cut into them")
_SECONDS = whole(3, 15, 5, "seconds")
_FIVE_OR_TEN = choice(5, 10, default=5, about="seconds")
_NATIVE = choice("native", "off", default="off")
_NATIVE_IN_1080P = _NATIVE | {"description": "native only with 1080p"}

_HANDLE = text(about="a name of your own, referred to as @id in the prompt")
_ELEMENT = item("element", {"element_id": text(), "id": _HANDLE}, "element_id", "id")
_VOICE = item("voice", {"voice_id": text(), "id": _HANDLE}, "voice_id", "id", about="at most 2; needs audio native")


def _prompt(limit: int) -> Schema:
    return item("prompt", {"text": text(limit)}, "text", about="at most one")


def _frame(kind: str, about: str = "") -> Schema:
    return item(kind, {"url": picture(), "id": _HANDLE}, "url", about=about)


_FIRST, _LAST = _frame("first_frame", "exactly one"), _frame("last_frame", "at most one")
_LAST_SILENT = _frame("last_frame", "at most one; only with 1080p, without sound")
_LAST_IN_1080P = _frame("last_frame", "at most one; only with 1080p")


def _from_text(limit: int, **settings: Schema) -> Body:
    fields = {"prompt": text(limit), "settings": record(settings), "options": new_options()}
    return Body("A clip from a text", record(fields, "prompt"), {"prompt": PROMPT, "settings": {"duration": 5}})


def _from_contents(
    summary: str, items: list[Schema], settings: Schema, *examples: dict[str, Any], **chosen: Any
) -> Body:
    required = ["settings"] if "required" in settings else []
    fields = {"contents": contents(items), "settings": settings, "options": new_options()}
    return Body(summary, record(fields, "contents", *required), {"contents": list(examples), "settings": chosen})


def _from_image(items: list[Schema], **settings: Schema) -> Body:
    frame = {"type": "first_frame", "url": IMAGE}
    words = {"type": "prompt", "text": PROMPT}
    return _from_contents("A clip from a picture", items, record(settings), words, frame, duration=5)


def _omni(limit: int, elements: str, **settings: Schema) -> Body:
    items = [
        _prompt(limit),
        _frame("first_frame", "at most one"),
        _frame("last_frame", "at most one; needs a first frame"),
        _frame("refer_image"),
        item("feature_video", {"url": address(), "id": _HANDLE}, "url", about="at most one reference video"),
        item("base_video", {"url": address(), "id": _HANDLE}, "url", about="the video to edit; at most one"),
        _ELEMENT | {"description": elements},
    ]
    words = {"type": "prompt", "text": f"@fox. {PROMPT}"}
    picture_item = {"type": "refer_image", "url": IMAGE, "id": "fox"}
    shape = choice("16:9", "9:16", "1:1", about="required without a first frame and a reference video")
    all_settings = record({**settings, "aspect_ratio": shape})
    return _from_contents(
        "A clip from any references", items, all_settings, words, picture_item, aspect_ratio="16:9", duration=5
    )


def _motion(*items: Schema) -> Body:
    settings = record(
        {
            "character_orientation": choice("image", "video", about="as in the picture, or as in the video"),
            "audio": choice("original", "off", default="original"),
            "resolution": _HD,
        },
        "character_orientation",
    )
    files = [
        item("image", {"url": picture()}, "url", about="who moves; exactly one"),
        item("video", {"url": address()}, "url", about="how; exactly one"),
    ]
    examples = ({"type": "image", "url": IMAGE}, {"type": "video", "url": FILM})
    summary = "A clip in which somebody moves as in a video"
    return _from_contents(summary, [*files, _prompt(2500), *items], settings, *examples, character_orientation="video")


_OMNI_3 = _omni(
    3072,
    "their number depends on what else is given",
    resolution=_UP_TO_4K,
    duration=_SECONDS,
    audio=choice("native", "original", "off", default="off"),
    multi_shot=_SHOTS,
)

NEW_BODIES: dict[str, Body] = {
    "/text-to-video/kling-3.0-turbo": _from_text(3072, resolution=_HD, aspect_ratio=_SHAPE, duration=_SECONDS),
    "/text-to-video/kling-3.0": _from_text(
        3072, resolution=_UP_TO_4K, aspect_ratio=_SHAPE, duration=_SECONDS, audio=_NATIVE, multi_shot=_SHOTS
    ),
    "/text-to-video/kling-2.6": _from_text(
        2500, resolution=_HD, aspect_ratio=_SHAPE, duration=_FIVE_OR_TEN, audio=_NATIVE_IN_1080P
    ),
    "/text-to-video/kling-2.5-turbo": _from_text(2500, resolution=_HD, aspect_ratio=_SHAPE, duration=_FIVE_OR_TEN),
    "/image-to-video/kling-3.0-turbo": _from_image([_prompt(2500), _FIRST], resolution=_HD, duration=_SECONDS),
    "/image-to-video/kling-3.0": _from_image(
        [_prompt(3072), _FIRST, _LAST, _ELEMENT | {"description": "at most 3"}],
        resolution=_UP_TO_4K,
        duration=_SECONDS,
        audio=_NATIVE,
        multi_shot=_SHOTS,
    ),
    "/image-to-video/kling-2.6": _from_image(
        [_prompt(2500), _FIRST, _LAST_SILENT, _VOICE], resolution=_HD, duration=_FIVE_OR_TEN, audio=_NATIVE_IN_1080P
    ),
    "/image-to-video/kling-2.5-turbo": _from_image(
        [_prompt(2500), _FIRST, _LAST_IN_1080P], resolution=_HD, duration=_FIVE_OR_TEN
    ),
    "/omni-video/kling-3.0-omni": _OMNI_3,
    "/omni-video/kling-v3-omni": _OMNI_3,
    "/omni-video/kling-o1": _omni(
        2500,
        "made of images; their number depends on what else is given",
        resolution=_HD,
        duration=whole(3, 10, 5, "seconds; 5 or 10 with a first frame alone"),
        audio=choice("original", "off", default="off"),
    ),
    "/motion-control/kling-3.0": _motion(_ELEMENT | {"description": "at most one; needs the orientation video"}),
    "/motion-control/kling-2.6": _motion(),
}


def listing(default: int, *filters: Schema) -> Body:
    """The body of a query for a page."""
    fields = {
        "start_time": millis("the last 30 days when not given"),
        "end_time": millis(),
        "cursor": text(about="next_cursor of the page before; takes the place of the times"),
        "limit": whole(1, 500, default),
        "filters": array({"anyOf": list(filters)}),
    }
    return Body("A page of tasks, newest first", record(fields), {"limit": 10})


def filter_of(key: str, *values: str) -> Schema:
    """One kind of filter."""
    named = choice(*values) if values else text()
    return record({"key": {"const": key}, "values": array(named, 1)}, "key", "values")


STATUS_FILTER = filter_of("status", "submitted", "processing", "succeeded", "failed")
TASKS_BODY = listing(100, STATUS_FILTER, filter_of("product_type", "video", "image", "try_on"))
