"""One of Kling's effect scenes with your pictures (kling-api sections 7.2 and 12)."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, Literal

from airflow_provider_klingvideo.errors import Fault, quoted
from airflow_provider_klingvideo.kling.catalogue.capabilities import ApiFamily, Capability, registry
from airflow_provider_klingvideo.kling.products.base import (
    GenerationRequest,
    Picture,
    Product,
    Route,
    Scene,
    common_options,
)
from airflow_provider_klingvideo.kling.products.limits import too_many


class EffectRequest(GenerationRequest):
    """An effect scene with one picture or two.

    :param scene: name of the scene; ``klingvideo models --scenes`` lists them.
    :param images: one picture, or two for a scene with two people: the left one first.
    """

    kind: Literal["effect"] = "effect"
    scene: Scene
    images: tuple[Picture, ...]


def _scene(request: EffectRequest, _can: Capability) -> Iterator[Fault]:
    """Source: kling-api section 12."""
    scenes = registry().effect_scenes
    scene = scenes.get(request.scene)
    if scene is None:
        close = ", ".join(get_close_matches(request.scene, scenes, n=3))
        legal = close or f"one of {len(scenes)}, see klingvideo models --scenes"
        yield Fault("scene", f"there is no scene {quoted(request.scene)}", legal)
    elif scene.is_gone:
        yield Fault("scene", f"Kling discontinued {quoted(request.scene)} on {scene.discontinued_on}", "another scene")
    elif len(request.images) != scene.images:
        yield too_many("images", len(request.images), f"{scene.images} for the scene {request.scene}")


def _body(request: EffectRequest, _can: Capability | None, external_task_id: str) -> dict[str, Any]:
    images = list(request.images)
    return {
        "effect_scene": request.scene,
        "input": {"image": images[0]} if len(images) == 1 else {"images": images},
        **common_options(request, external_task_id),
    }


PRODUCT = Product(
    kind="effect",
    label="Effects",
    request=EffectRequest,
    routes={ApiFamily.LEGACY: Route("/v1/videos/effects", _body)},
    rules=(_scene,),
)
