"""Validates what sells goods: films of products and people who talk about them (kling-api section 8)."""

from __future__ import annotations

import math
from decimal import Decimal

from airflow_provider_klingvideo.sandbox.account.answers import invalid
from airflow_provider_klingvideo.sandbox.account.catalog import Generation, Sound
from airflow_provider_klingvideo.sandbox.account.fields import Fields
from airflow_provider_klingvideo.sandbox.account.orders import Input, Order, clip
from airflow_provider_klingvideo.sandbox.account.tasks import Follow
from airflow_provider_klingvideo.sandbox.rules.contents import Contents
from airflow_provider_klingvideo.sandbox.rules.readers import Reader, RequestContext
from airflow_provider_klingvideo.sandbox.rules.solution_contents import (
    BAD_VOICE,
    PICTURES,
    chosen,
    options,
    pictures,
    read_contents,
    resolution,
    texts,
    worded,
)

_NO_TITLE = "Product title is missing. Please provide a product title."
_NO_PICTURE = "Product image is missing. Please upload a product image."
_LENGTHS = (15, 30, 60)
_SHAPES = ("9:16", "1:1", "16:9")
# Units per second; the list is not public. What is known of talking_agent (kling-api section 14) is taken for both.
_PRICE, _COMMERCE_PRICE = Decimal(1), Decimal("1.4")


def _goods_studio(fields: Fields, context: RequestContext) -> Order:
    contents = read_contents(fields, {"ref_image": PICTURES, "goods_title": 1, "goods_description": 1})
    images = pictures(contents, "ref_image", absent=_NO_PICTURE)
    words = texts(contents, "goods_title", 200, _NO_TITLE) + texts(contents, "goods_description", 2000)
    settings = fields.object("settings")
    size = resolution(settings)
    shape = chosen(settings, "aspect_ratio", _SHAPES, "aspect_ratio only supports 9:16, 1:1 and 16:9.")
    seconds = worded(
        lambda: settings.integer("duration", _LENGTHS, 0),
        bad_length := "Unsupported duration. Only 15, 30 and 60 seconds are supported.",
    )
    if not seconds:
        raise invalid(bad_length)
    return Order(
        generation=Generation.SOLUTIONS,
        product="goods-studio",
        path=context.path,
        model="goods_studio",
        prompt=" / ".join(words),
        units=_PRICE * seconds,
        results=(clip(shape, size, seconds, Sound.NATIVE),),
        inputs=tuple(images),
        resolution=size,
        seconds=seconds,
        sound=Sound.NATIVE,
        **options(fields),
    )


# kling-capabilities talking_agent_ids.
_AVATARS = frozenset(
    {
        "avatar_adam_male",
        "avatar_anna_female",
        "avatar_chenjing_female",
        "avatar_elena_female",
        "avatar_eva_female",
        "avatar_lee_male",
        "avatar_marcus_male",
        "avatar_mia_female",
        "avatar_oliver_male",
        "avatar_rajput_male",
        "avatar_river_male",
        "avatar_toto_cartoon",
        "avatar_vivian_female",
        "avatar_wanglei_male",
        "avatar_zhaochen_male",
    }
)
_VOICES = frozenset(
    {
        "female_bright_engaging",
        "female_clear_rational",
        "female_gentle_soothing",
        "female_intelligent_narrative",
        "female_warm_rich",
        "male_calm_informative",
        "male_clear_professional",
        "male_crisp_persuasive",
        "male_energetic_sporty",
    }
)
# How many there may be of what describes the goods, and how long each.
_GOODS = {
    "goods_title": (1, 500),
    "goods_price": (1, 256),
    "goods_target_audience": (20, 200),
    "goods_selling_point": (20, 500),
}
_SPEECH_RATES = (0.8, 1.0, 1.2)
_CHARACTERS_A_SECOND = 15


def _talking_agent(fields: Fields, context: RequestContext) -> Order:
    limits = {"avatar_image": 1, "avatar_id": 1, "speech_script": 1, "ref_image": PICTURES}
    contents = read_contents(fields, limits | {kind: limit for kind, (limit, _) in _GOODS.items()})
    settings = fields.object("settings")
    images = _avatar(contents, settings)
    (script,) = texts(contents, "speech_script", 2000, "speech_script is required for single-person videos.")
    goods = _goods(contents)
    rate = _speech_rate(settings, commerce=bool(goods))
    size = resolution(settings, "720p")
    shape_name = _spelling(settings, "aspect_ratio")
    shape = chosen(settings, shape_name, ("9:16", "16:9"), "aspect_ratio only supports 9:16 and 16:9.", "9:16")
    for name in ("allow_polish", "bgm_enabled"):
        settings.flag(_spelling(settings, name), False)
    settings.text(_spelling(settings, "action_prompt"), 2500)
    seconds = max(1, math.ceil(len(script) / _CHARACTERS_A_SECOND / rate))
    return Order(
        generation=Generation.SOLUTIONS,
        product="talking-agent",
        path=context.path,
        model="talking_agent",
        prompt=script,
        units=(_COMMERCE_PRICE if goods else _PRICE) * seconds,
        results=(clip(shape, size, seconds, Sound.NATIVE),),
        inputs=(*images, *goods),
        follow=Follow(),
        resolution=size,
        seconds=seconds,
        sound=Sound.NATIVE,
        **options(fields),
    )


def _spelling(settings: Fields, name: str) -> str:
    """How a body spells a setting: this endpoint takes camelCase, too."""
    first, *rest = name.split("_")
    other = first + "".join(word.capitalize() for word in rest)
    return other if other in settings and name not in settings else name


def _avatar(contents: Contents, settings: Fields) -> list[Input]:
    """The picture of who talks, unless it is somebody of the catalogue."""
    voice = settings.text(_spelling(settings, "voice_id"))
    images = pictures(contents, "avatar_image")
    known = texts(contents, "avatar_id", 256)
    if len(images) + len(known) != 1:
        raise invalid(
            "Exactly one avatar source is required: provide avatar_image (with voiceId) or avatar_id, not both."
        )
    if known and known[0] not in _AVATARS:
        raise invalid("Invalid avatar_id. Please select a valid avatar from the avatar library.")
    if known and voice:
        raise invalid("voiceId is not allowed when avatar_id is provided.")
    if images and not voice:
        raise invalid("voiceId is required when uploading an avatar_image.")
    if images and voice not in _VOICES:
        raise invalid(BAD_VOICE)
    return images


def _goods(contents: Contents) -> list[Input]:
    """The pictures of the goods that are talked about; any word about goods needs a picture and a title."""
    if not any(contents.of(kind) for kind in ("ref_image", *_GOODS)):
        return []
    images = pictures(
        contents, "ref_image", absent="Product image is missing. Please upload at least one product image."
    )
    for kind, (_, length) in _GOODS.items():
        absent = "goods_title is required when product content is provided." if kind == "goods_title" else ""
        texts(contents, kind, length, absent)
    return images


def _speech_rate(settings: Fields, *, commerce: bool) -> float:
    name = _spelling(settings, "speech_rate")
    if commerce and name in settings:
        raise invalid("Speech rate adjustment not supported in Video Commerce.")
    words = "speechRate only supports 0.8, 1.0 and 1.2."
    rate = worded(lambda: settings.number(name, 1.0, min(_SPEECH_RATES), max(_SPEECH_RATES)), words)
    if rate not in _SPEECH_RATES:
        raise invalid(words)
    return rate


READERS: dict[str, Reader] = {
    "/solutions/e-commerce/goods_studio": _goods_studio,
    "/solutions/talking_agent": _talking_agent,
}
