"""Whole solutions for commerce (kling-api section 8)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

from airflow_provider_klingvideo.errors import Fault
from airflow_provider_klingvideo.kling.catalogue.capabilities import ApiFamily, Capability
from airflow_provider_klingvideo.kling.products import video
from airflow_provider_klingvideo.kling.products.base import (
    AspectRatio,
    GenerationRequest,
    Part,
    Picture,
    Product,
    Resolution,
    Route,
    Sound,
    Text,
    Video,
    WatermarkedRequest,
    common_options,
    without_nones,
)
from airflow_provider_klingvideo.kling.products.limits import (
    by_url,
    counted,
    longest,
    one_of,
    one_of_two,
    ranged,
    too_many,
)

MAX_PICTURES = 5
SPEECH_RATES = (0.8, 1.0, 1.2)
MAX_LIST = 20
LONGEST_LIST_ITEM = {"target_audience": 200, "selling_points": 500}
MAX_GLOSSARY = 200
LONGEST_TERM = 100


class GoodsStudioRequest(WatermarkedRequest):
    """A video about a product.

    :param images: one to five pictures of the product.
    :param title: its name, at most 200 characters.
    :param description: what there is to say about it, at most 2000 characters.
    :param resolution: ``720p`` or ``1080p``.
    :param aspect_ratio: ``9:16``, ``1:1`` or ``16:9``.
    :param duration: seconds: 15, 30 or 60.
    """

    kind: Literal["goods_studio"] = "goods_studio"
    images: tuple[Picture, ...]
    title: Text
    description: str | None = None
    resolution: Resolution = "720p"
    aspect_ratio: AspectRatio = "9:16"
    duration: int = 15


class ClothingDupeRequest(WatermarkedRequest):
    """A video like another one, with other clothes.

    :param source_video: the video to go by, 5 to 180 seconds.
    :param product_info: what the clothes are, at most 2500 characters.
    :param product_images: one to five pictures of the clothes.
    :param model_images: up to five pictures of the person.
    :param music: music in the background, http(s) URL only; None: Kling's own.
    :param voice_id: a voice from this product's own list.
    :param resolution: ``720p`` or ``1080p``.
    :param aspect_ratio: ``9:16``, ``2:3``, ``3:4``, ``1:1``, ``4:3``, ``3:2``, ``16:9``, ``21:9``; None: the video's.
    """

    kind: Literal["clothing_dupe"] = "clothing_dupe"
    source_video: Video
    product_info: Text
    product_images: tuple[Picture, ...]
    model_images: tuple[Picture, ...] = ()
    music: Sound | None = None
    voice_id: str | None = None
    resolution: Resolution = "720p"
    aspect_ratio: AspectRatio | None = None


class TalkingAgentRequest(WatermarkedRequest):
    """A person who speaks, alone or about a product.

    :param script: what is said, at most 2000 characters.
    :param avatar_image: a picture of the person, with ``voice_id``; or
    :param avatar_id: one of Kling's speakers.
    :param voice_id: the voice; with an ``avatar_image`` only.
    :param images: one to five pictures of a product; with them a ``title`` is needed.
    :param title: name of the product, at most 500 characters.
    :param price: what it costs, at most 256 characters.
    :param target_audience: up to 20 groups of people, at most 200 characters each.
    :param selling_points: up to 20 points, at most 500 characters each.
    :param resolution: ``720p`` or ``1080p``.
    :param aspect_ratio: ``9:16`` or ``16:9``.
    :param allow_polish: let Kling improve the script.
    :param speech_rate: 0.8, 1.0 or 1.2; not with a product.
    :param action: how the person moves, at most 2500 characters.
    :param music: music in the background.
    """

    kind: Literal["talking_agent"] = "talking_agent"
    script: Text
    avatar_image: Picture | None = None
    avatar_id: str | None = None
    voice_id: str | None = None
    images: tuple[Picture, ...] = ()
    title: str | None = None
    price: str | None = None
    target_audience: tuple[Text, ...] = ()
    selling_points: tuple[Text, ...] = ()
    resolution: Resolution = "720p"
    aspect_ratio: AspectRatio = "9:16"
    allow_polish: bool = False
    speech_rate: float | None = None
    action: str | None = None
    music: bool = False

    @property
    def is_about_a_product(self) -> bool:
        """Whether anything about a product is given."""
        return bool(self.images or self.title or self.price or self.target_audience or self.selling_points)


class Term(Part):
    """A word and how it is to be translated, at most 100 characters each.

    :param source: the word.
    :param target: its translation.
    """

    source: Text
    target: Text


class DramaSubtitleRequest(GenerationRequest):
    """English subtitles for a video with speech.

    :param source_video: the video, at most 300 seconds and 500 MB.
    :param glossary: up to 200 words and their translations.
    :param target_cps: characters per second, 10 to 20.
    :param margin_v: distance from the lower edge, 1 to 4096 pixels; None: Kling's choice.
    :param font_size: 1 to 512; None: Kling's choice.
    """

    kind: Literal["drama_subtitle"] = "drama_subtitle"
    source_video: Video
    glossary: tuple[Term, ...] = ()
    target_cps: int = 17
    margin_v: int | None = None
    font_size: int | None = None


def solution_options(request: WatermarkedRequest, external_task_id: str) -> dict[str, Any]:
    """Return the ``options`` of a solution, which calls the watermark otherwise (kling-api section 8)."""
    options = common_options(request, external_task_id)
    watermark = options.pop("watermark_info", None)
    return options | ({"watermark": watermark} if watermark else {})


def _items(kind: str, key: str, values: Sequence[str | None]) -> list[dict[str, Any]]:
    return [{"type": kind, key: value} for value in values if value]


def _agent_source(request: TalkingAgentRequest, _can: Capability) -> Iterator[Fault]:
    """Source: kling-api section 8."""
    if bool(request.avatar_image) == bool(request.avatar_id):
        yield one_of_two("avatar_image", "avatar_id")
    if request.avatar_image and not request.voice_id:
        yield Fault("voice_id", "is missing", "needed with an avatar_image")
    if request.avatar_id and request.voice_id:
        yield Fault("voice_id", "is given with an avatar_id, which has a voice of its own", "only with an avatar_image")


def _agent_product(request: TalkingAgentRequest, _can: Capability) -> Iterator[Fault]:
    """Source: kling-api section 8."""
    if not request.is_about_a_product:
        return
    if not request.images:
        yield too_many("images", 0, f"1 to {MAX_PICTURES} with a product")
    if not (request.title or "").strip():
        yield Fault("title", "is missing", "needed with a product")
    if request.speech_rate is not None:
        yield Fault("speech_rate", "cannot be set with a product", "only without images, title, price and the like")


def _agent_lists(request: TalkingAgentRequest, _can: Capability) -> Iterator[Fault]:
    """Source: kling-api section 8."""
    for field, limit in LONGEST_LIST_ITEM.items():
        items = getattr(request, field)
        if len(items) > MAX_LIST:
            yield too_many(field, len(items), f"at most {MAX_LIST}")
        if any(len(item) > limit for item in items):
            yield Fault(field, "has an entry that is too long", f"at most {limit} characters each")


def _glossary(request: DramaSubtitleRequest, _can: Capability) -> Iterator[Fault]:
    """Source: kling-api section 8."""
    if len(request.glossary) > MAX_GLOSSARY:
        yield too_many("glossary", len(request.glossary), f"at most {MAX_GLOSSARY}")
    if any(len(text) > LONGEST_TERM for term in request.glossary for text in (term.source, term.target)):
        yield Fault("glossary", "has an entry that is too long", f"at most {LONGEST_TERM} characters each")


def _goods_body(request: GoodsStudioRequest, _can: Capability | None, external_task_id: str) -> dict[str, Any]:
    return {
        "contents": [
            *_items("ref_image", "url", request.images),
            *_items("goods_title", "text", [request.title]),
            *_items("goods_description", "text", [request.description]),
        ],
        "settings": {
            "resolution": request.resolution,
            "aspect_ratio": request.aspect_ratio,
            "duration": request.duration,
        },
        "options": solution_options(request, external_task_id),
    }


def _clothing_body(request: ClothingDupeRequest, _can: Capability | None, external_task_id: str) -> dict[str, Any]:
    return {
        "contents": [
            *_items("source_video", "url", [request.source_video]),
            *_items("product_info", "text", [request.product_info]),
            *_items("product_image", "url", request.product_images),
            *_items("model_image", "url", request.model_images),
            *_items("bgm", "url", [request.music]),
            *_items("voice", "voice_id", [request.voice_id]),
        ],
        "settings": without_nones({"resolution": request.resolution, "aspect_ratio": request.aspect_ratio}),
        "options": common_options(request, external_task_id),
    }


def _agent_body(request: TalkingAgentRequest, _can: Capability | None, external_task_id: str) -> dict[str, Any]:
    return {
        "contents": [
            *_items("avatar_image", "url", [request.avatar_image]),
            *_items("avatar_id", "text", [request.avatar_id]),
            *_items("speech_script", "text", [request.script]),
            *_items("ref_image", "url", request.images),
            *_items("goods_title", "text", [request.title]),
            *_items("goods_price", "text", [request.price]),
            *_items("goods_target_audience", "text", request.target_audience),
            *_items("goods_selling_point", "text", request.selling_points),
        ],
        "settings": without_nones(
            {
                "resolution": request.resolution,
                "aspect_ratio": request.aspect_ratio,
                "allow_polish": request.allow_polish,
                "voice_id": request.voice_id,
                "speech_rate": request.speech_rate,
                "action_prompt": request.action or None,
                "bgm_enabled": request.music,
            }
        ),
        "options": solution_options(request, external_task_id),
    }


def _subtitle_body(request: DramaSubtitleRequest, _can: Capability | None, external_task_id: str) -> dict[str, Any]:
    terms = [{"source": term.source, "target": term.target} for term in request.glossary]
    return {
        "contents": [
            *_items("source_video", "url", [request.source_video]),
            *[{"type": "glossary", **term} for term in terms],
        ],
        "settings": without_nones(
            {
                "target_cps": request.target_cps,
                "target_language": "en",
                "margin_v": request.margin_v,
                "font_size": request.font_size,
            }
        ),
        "options": common_options(request, external_task_id),
    }


PRODUCTS = (
    Product(
        kind="goods_studio",
        label="Goods studio",
        request=GoodsStudioRequest,
        routes={ApiFamily.SOLUTIONS: Route("/solutions/e-commerce/goods_studio", _goods_body)},
        rules=(
            counted("images", 1, MAX_PICTURES),
            longest("title", 200),
            longest("description", 2000),
            video.resolution,
            video.aspect_ratio,
            video.duration,
        ),
    ),
    Product(
        kind="clothing_dupe",
        label="Clothing dupe",
        request=ClothingDupeRequest,
        routes={ApiFamily.SOLUTIONS: Route("/solutions/e-commerce/clothing_dupe", _clothing_body)},
        rules=(
            longest("product_info", 2500),
            counted("product_images", 1, MAX_PICTURES),
            counted("model_images", 0, MAX_PICTURES),
            by_url("music"),
            video.resolution,
            video.aspect_ratio,
        ),
    ),
    Product(
        kind="talking_agent",
        label="Talking agent",
        request=TalkingAgentRequest,
        routes={ApiFamily.SOLUTIONS: Route("/solutions/talking_agent", _agent_body)},
        rules=(
            longest("script", 2000),
            counted("images", 0, MAX_PICTURES),
            longest("title", 500),
            longest("price", 256),
            longest("action", 2500),
            one_of("speech_rate", SPEECH_RATES),
            video.resolution,
            video.aspect_ratio,
            _agent_source,
            _agent_product,
            _agent_lists,
        ),
    ),
    Product(
        kind="drama_subtitle",
        label="Drama subtitles",
        request=DramaSubtitleRequest,
        routes={ApiFamily.SOLUTIONS: Route("/solutions/drama_subtitle", _subtitle_body)},
        rules=(_glossary, ranged("target_cps", 10, 20), ranged("margin_v", 1, 4096), ranged("font_size", 1, 512)),
    ),
)
