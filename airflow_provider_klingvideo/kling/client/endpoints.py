"""What the client does with each endpoint of Kling's API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from airflow_provider_klingvideo.kling.catalogue.capabilities import registry
from airflow_provider_klingvideo.kling.client import operations
from airflow_provider_klingvideo.kling.products import PRODUCTS, retired
from airflow_provider_klingvideo.kling.services import billing, faces, library, recognition, selection, speech
from airflow_provider_klingvideo.kling.wire.operation import Operation

NOT_OFFERED = {
    "/v1/general/custom-elements": "Kling replaced it by that of kind `custom_element`; its elements lie in a "
    "library of their own, and no request of today's models takes them",
}
"""By path, with the reason."""

RETIRED_PATHS = {
    "/v1/videos/multi-image2video": "multi_image_to_video",
    "/v1/videos/video-extend": "video_extend",
}
"""By path, with the kind whose message tells the successor."""

# An operation of each method, for its method and path.
_CALLS: tuple[tuple[str, Operation[Any]], ...] = (
    ("get_task", operations.get_tasks(["1"], "text_to_video")),
    ("get_task", operations.get_tasks(["1"], "talking_agent")),
    ("list_tasks", operations.list_tasks((), None)),
    ("list_tasks", operations.list_solutions((), None)),
    ("speak", speech.speak("x", voice_id="x")),
    ("identify_faces", faces.identify_faces(video_id="x")),
    ("recognize_image", recognition.recognize_image("x")),
    ("init_selection", selection.init_selection(video_id="x")),
    ("add_selection", selection.add_selection("x", 0, [(0, 0)])),
    ("delete_selection", selection.delete_selection("x", 0, [(0, 0)])),
    ("clear_selection", selection.clear_selection("x")),
    ("preview_selection", selection.preview_selection("x")),
    ("list_voices", library.list_voices()),
    ("preset_voices", library.preset_voices()),
    ("delete_voice", library.delete_voice("x")),
    ("list_elements", library.list_elements()),
    ("preset_elements", library.preset_elements()),
    ("delete_element", library.delete_element("x")),
    ("account_costs", billing.account_costs(0, 0)),
    ("package_ledger", billing.package_ledger(0, 0)),
    ("balance_ledger", billing.balance_ledger(0, 0)),
)


@dataclass(frozen=True)
class Endpoint:
    """An endpoint of Kling and what becomes of it here.

    :param support: ``supported``, ``retired`` or ``not offered``.
    :param by: the method and kind that serve it, the successor, or the reason.
    """

    name: str
    method: str
    path: str
    support: str
    by: str


def endpoints() -> list[Endpoint]:
    """Return every endpoint of the capability sheet.

    :raises KeyError: for an endpoint about which nothing is known.
    """
    rows = json.loads(files(__package__).joinpath("endpoints.json").read_text(encoding="utf-8"))
    known = {(method, path): by for method, path, by in _supported()}
    return [Endpoint(row["name"], row["method"], row["path"], *_verdict(row, known)) for row in rows]


def _verdict(row: dict[str, Any], known: dict[tuple[str, str], str]) -> tuple[str, str]:
    path = row["path"].removesuffix("/{id}")
    if path in NOT_OFFERED:
        return "not offered", NOT_OFFERED[path]
    if path in RETIRED_PATHS:
        return "retired", f"`{RETIRED_PATHS[path]}`: use {retired.KINDS[RETIRED_PATHS[path]]}"
    return "supported", known[row["method"], row["path"]]


def _supported() -> Iterator[tuple[str, str, str]]:
    """Method, path and what serves it; the more special ones last."""
    for kind, product in PRODUCTS.items():
        for family, route in product.routes.items():
            if route.is_model_in_path:
                for can in registry().capabilities:
                    if (can.kind, can.family) == (kind, family):
                        yield "POST", f"{route.path}/{can.model}", f"`create`, kind `{kind}`"
            else:
                yield "POST", route.path, f"`create`, kind `{kind}`"
                yield "GET", f"{route.path}/{{id}}", f"`get_task`, kind `{kind}`, with AK/SK"
                yield "GET", route.path, "`list_tasks`, with AK/SK"
    for name, operation in _CALLS:
        yield operation.method, operation.path, f"`{name}`"
