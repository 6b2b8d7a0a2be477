"""Validates what dresses people: films with other clothes, and trying on in a picture (kling-api section 8)."""

from __future__ import annotations

from decimal import Decimal

from airflow_provider_klingvideo.sandbox.account.answers import invalid
from airflow_provider_klingvideo.sandbox.account.catalog import Generation, Pack, Sound, frame_size
from airflow_provider_klingvideo.sandbox.account.fields import Fields
from airflow_provider_klingvideo.sandbox.account.limits import MEGABYTE, MOVIES, Kind, Limits
from airflow_provider_klingvideo.sandbox.account.orders import Input, Order
from airflow_provider_klingvideo.sandbox.account.tasks import Follow, Result
from airflow_provider_klingvideo.sandbox.products.pictures.image_requests import RATIOS, TRY_ON
from airflow_provider_klingvideo.sandbox.rules.contents import Contents
from airflow_provider_klingvideo.sandbox.rules.readers import Reader, RequestContext
from airflow_provider_klingvideo.sandbox.rules.solution_contents import (
    BAD_VOICE,
    PICTURES,
    TRY_ON_PICTURE,
    addresses,
    chosen,
    options,
    pictures,
    read_contents,
    texts,
)

_SHORTEST, _LONGEST = 5, 180
_FILM = Limits(
    kind=Kind.VIDEO,
    formats=MOVIES,
    max_bytes=100 * MEGABYTE,
    shortest=576,
    longest=4553,
    seconds=((_SHORTEST, _LONGEST),),
)
_MUSIC = Limits(kind=Kind.AUDIO, formats=frozenset({"mp3", "m4a", "wav"}), max_bytes=50 * MEGABYTE)
# kling-capabilities talking_agent_ids, those of clothing_dupe.
_VOICES = frozenset(
    {
        "calm_sales_man",
        "calm_sales_woman",
        "crisp_sales_girl",
        "energetic_sales_boy",
        "energetic_sales_girl",
        "enthusiastic_sales_man",
        "gentle_sales_woman",
        "mature_sales_woman",
        "soft_sales_woman",
        "steady_sales_man",
    }
)
_PRICE = Decimal(1)  # units per second, assumed: the list is not public


def _clothing_dupe(fields: Fields, context: RequestContext) -> Order:
    limits = {"product_info": 1, "source_video": 1, "product_image": PICTURES, "model_image": PICTURES}
    contents = read_contents(fields, limits | {"bgm": 1, "voice": 1})
    films = addresses(contents, "source_video", _FILM, "Reference video is missing. Please upload a reference video.")
    images = pictures(contents, "product_image", absent="Product image is missing. Please upload a product image.")
    people = pictures(contents, "model_image")
    missing = "Product description is missing. Please provide a product description."
    (info,) = texts(contents, "product_info", 2500, missing)
    music = _music(contents)
    _check_voice(contents)
    settings = fields.object("settings")
    words = "Unsupported resolution. Only 720P and 1080P are supported."
    resolution = chosen(settings, "resolution", ("720p", "1080p"), words, "720p")
    shape = ""
    if "aspect_ratio" in settings:
        shape = chosen(
            settings, "aspect_ratio", RATIOS, "aspect_ratio only supports 9:16, 2:3, 3:4, 1:1, 4:3, 3:2, 16:9 and 21:9."
        )
    width, height = frame_size(RATIOS[shape], resolution) if shape else (0, 0)
    made = ("product_image", *["model_images"] * max(1, len(people)), "product_video")
    return Order(
        generation=Generation.SOLUTIONS,
        product="clothing-dupe",
        path=context.path,
        model="clothing_dupe",
        prompt=info,
        units=_PRICE * _SHORTEST,
        results=tuple(Result(type=kind, width=width, height=height, sound=kind == "product_video") for kind in made),
        inputs=(*films, *images, *people, *music),
        follow=Follow(shape="" if shape else "source_video", length="source_video", unit_price=_PRICE),
        resolution=resolution,
        sound=Sound.NATIVE,
        **options(fields, "watermark_info"),
    )


def _music(contents: Contents) -> list[Input]:
    absent = (
        "bgm is provided but url is empty. Please provide a BGM file URL or remove bgm to use the system default BGM."
    )
    return addresses(contents, "bgm", _MUSIC, absent) if contents.of("bgm") else []


def _check_voice(contents: Contents) -> None:
    if any(item.text("voice_id") not in _VOICES for item in contents.of("voice")):
        raise invalid(BAD_VOICE)


def _try_on(fields: Fields, context: RequestContext) -> Order:
    roles = ("product_image", "person_image")
    contents = read_contents(fields, dict.fromkeys(roles, 1))
    for role in roles:
        contents.require(role)
    images = [item for role in roles for item in addresses(contents, role, TRY_ON_PICTURE)]
    settings = fields.object("settings")
    for name in ("keep_face", "keep_pose", "keep_background"):
        settings.flag(name, True)
    return Order(
        generation=Generation.SOLUTIONS,
        product="virtual-try-on",
        path=context.path,
        model="virtual_try_on",
        prompt="",
        units=Decimal(TRY_ON),
        results=(Result(type="image"),),
        inputs=tuple(images),
        follow=Follow(shape="person_image"),
        pack=Pack.TRY_ON,
        **options(fields),
    )


TRY_ON_PATH = "/solutions/virtual_try_on"
READERS: dict[str, Reader] = {
    "/solutions/e-commerce/clothing_dupe": _clothing_dupe,
    TRY_ON_PATH: _try_on,
}
