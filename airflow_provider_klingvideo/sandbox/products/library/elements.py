"""Elements, the subjects that clips and pictures can refer to: made, listed, deleted (kling-api section 7.4)."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from airflow_provider_klingvideo.sandbox.account.answers import Answer, invalid
from airflow_provider_klingvideo.sandbox.account.catalog import Generation
from airflow_provider_klingvideo.sandbox.account.fields import Fields, parse_object
from airflow_provider_klingvideo.sandbox.account.library import PRESETS_OWNER, ElementType, Library, Voice
from airflow_provider_klingvideo.sandbox.account.limits import LEGACY_IMAGE, MEGABYTE, MOVIES, Kind, Limits
from airflow_provider_klingvideo.sandbox.account.orders import (
    Input,
    Order,
    missing,
    read_address,
    read_input,
    unmarked_options,
)
from airflow_provider_klingvideo.sandbox.account.tasks import Follow, Result
from airflow_provider_klingvideo.sandbox.account.views import deleted, preset
from airflow_provider_klingvideo.sandbox.rules.legacy_fields import required_text
from airflow_provider_klingvideo.sandbox.rules.readers import Reader, RequestContext
from airflow_provider_klingvideo.sandbox.serving.paging import PAGE_SIZES, page_of
from airflow_provider_klingvideo.sandbox.serving.routing import VendorRoute, base_url, sandbox_of

NAME, DESCRIPTION = 20, 100
TRIAL_SECONDS = 3.0
_FILM_ROLE = "refer"
REFERENCES = range(1, 4)
FILM = Limits(
    kind=Kind.VIDEO,
    formats=MOVIES,
    max_bytes=200 * MEGABYTE,
    sizes=frozenset({(1920, 1080), (1080, 1920)}),
    seconds=((3, 8),),
)
TAGS = {
    "o_101": "Hottest",
    "o_102": "Character",
    "o_103": "Animal",
    "o_104": "Item",
    "o_105": "Costume",
    "o_106": "Scene",
    "o_107": "Effect",
    "o_108": "Others",
}

PATH = "/v1/general/advanced-custom-elements"

router = APIRouter(route_class=VendorRoute)


def _read(fields: Fields, context: RequestContext) -> Order:
    name = required_text(fields, "element_name", NAME)
    description = required_text(fields, "element_description", DESCRIPTION)
    reference_type = fields.choice("reference_type", _REFERENCES, "")
    if not reference_type:
        raise invalid("reference_type is required")
    element_type, read_references = _REFERENCES[reference_type]
    inputs = read_references(fields)
    element = {
        "name": name,
        "description": description,
        "reference_type": reference_type,
        "element_type": element_type,
        "owned_by": context.library.owner,
        "tags": _tags(fields),
    }
    files = [Result(type=item.limits.kind, role=item.role, hidden=True) for item in inputs]
    return Order(
        generation=Generation.LEGACY,
        product="custom-element",
        path=context.path,
        model="custom-element",
        prompt=description,
        units=Decimal(0),
        weight=0,  # no resource pack pays for it, so it takes none of the slots of one
        results=(Result(type="element", details=element), *files, *_voice(fields, context.library, element)),
        inputs=inputs,
        follow=Follow(shape=inputs[0].role, length=_FILM_ROLE),
        **unmarked_options(fields),
    )


def _images(fields: Fields) -> tuple[Input, ...]:
    if "element_image_list" not in fields:
        raise invalid("element_image_list is required when reference_type is image_refer")
    images = fields.object("element_image_list")
    frontal = read_input("frontal", required_text(images, "frontal_image"), LEGACY_IMAGE)
    items = images.objects("refer_images")
    if len(items) not in REFERENCES:
        raise invalid(f"refer_images must have {REFERENCES[0]} to {REFERENCES[-1]} items")
    others = (required_text(item, "image_url") for item in items)
    return frontal, *(read_input(f"refer {number}", image, LEGACY_IMAGE) for number, image in enumerate(others, 1))


def _film(fields: Fields) -> tuple[Input, ...]:
    if "element_video_list" not in fields:
        raise invalid("element_video_list is required when reference_type is video_refer")
    items = fields.object("element_video_list").objects("refer_videos")
    if len(items) != 1:
        raise invalid("refer_videos must have exactly 1 item")
    return (read_address(_FILM_ROLE, required_text(items[0], "video_url"), FILM),)


_REFERENCES: dict[str, tuple[ElementType, Callable[[Fields], tuple[Input, ...]]]] = {
    "image_refer": (ElementType.IMAGES, _images),
    "video_refer": (ElementType.CHARACTER, _film),
}


def _voice(fields: Fields, library: Library, element: dict[str, Any]) -> tuple[Result, ...]:
    """The voice that was chosen, or the one that may be in the film, of which Kling makes a voice of its own."""
    voice_id = fields.text("element_voice_id")
    if not voice_id and element["element_type"] is not ElementType.CHARACTER:
        return ()
    voice = library.voice(voice_id) if voice_id else Voice(element["name"], element["owned_by"])
    if voice is None:
        raise missing("voice", voice_id)
    details = {"voice_id": voice_id, **voice._asdict()}
    return (Result(type="voice", role="voice", seconds=TRIAL_SECONDS, hidden=True, details=details),)


def _tags(fields: Fields) -> list[dict[str, str]]:
    tags = []
    for item in fields.objects("tag_list"):
        tag = item.choice("tag_id", TAGS, "")
        if not tag:
            raise item.wrong("tag_id")
        tags.append({"id": tag, "name": TAGS[tag], "description": TAGS[tag]})
    return tags


READERS: dict[str, Reader] = {PATH: _read}


@router.get("/v1/general/advanced-presets-elements")
async def presets(request: Request) -> Response:
    """The elements that everybody has."""
    sandbox = sandbox_of(request)
    now, url = sandbox.account.now(), f"{base_url(request)}/sandbox/samples/portrait.png"
    entries = [
        preset(element_id, now, {"elements": [_preset(element_id, kind, url)]})
        for element_id, kind in sandbox.library.preset_elements.items()
    ]
    return Answer(page_of(request, entries, PAGE_SIZES))


def _preset(element_id: str, kind: ElementType, url: str) -> dict[str, Any]:
    reference_type = next(name for name, (made, _) in _REFERENCES.items() if made is kind)
    return {
        "element_id": int(element_id) if element_id.isdecimal() else element_id,
        "element_name": f"SANDBOX {element_id[-4:]}",
        "element_description": "SANDBOX: an element that everybody has",
        "reference_type": reference_type,
        "element_image_list": {"frontal_image": url, "refer_images": [{"image_url": url}]},
        "tag_list": [{"tag_id": "o_102"}],
        "owned_by": PRESETS_OWNER,
        "status": "succeed",
    }


async def _delete(request: Request) -> Response:
    """Delete an element of one's own."""
    fields = Fields(parse_object(await request.body()))
    element_id = fields.identifier("element_id")
    if not element_id:
        raise invalid("element_id is required")
    task = sandbox_of(request).library.delete_element(element_id)
    if task is None:
        raise missing("element", element_id)
    return Answer(deleted(task))


for _path in ("/v1/general/delete-advanced-elements", "/v1/general/delete-elements"):
    router.add_api_route(_path, _delete, methods=["POST"])
