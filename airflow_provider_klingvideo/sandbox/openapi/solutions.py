"""The request bodies of the solutions family and of the ledgers, for the OpenAPI document (sections 8 and 9)."""

from __future__ import annotations

from airflow_provider_klingvideo.sandbox.openapi.new import STATUS_FILTER, filter_of, listing
from airflow_provider_klingvideo.sandbox.openapi.parts import (
    FILM,
    IMAGE,
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
from airflow_provider_klingvideo.sandbox.products.pictures.image_requests import RATIOS

_HD = choice("720p", "1080p", default="720p")


def _text(kind: str, limit: int, about: str) -> Schema:
    return item(kind, {"text": text(limit)}, "text", about=about)


def _picture(kind: str, about: str) -> Schema:
    return item(kind, {"url": picture("png, jpeg or webp")}, "url", about=about)


_GOODS = Body(
    "A film that sells goods",
    record(
        {
            "contents": contents(
                [
                    _picture("ref_image", "1 to 5"),
                    _text("goods_title", 200, "exactly one"),
                    _text("goods_description", 2000, "at most one"),
                ]
            ),
            "settings": record(
                {
                    "resolution": choice("720p", "1080p"),
                    "aspect_ratio": choice("9:16", "1:1", "16:9"),
                    "duration": choice(15, 30, 60, about="seconds"),
                },
                "resolution",
                "aspect_ratio",
                "duration",
            ),
            "options": new_options("watermark"),
        },
        "contents",
        "settings",
    ),
    {
        "contents": [{"type": "ref_image", "url": IMAGE}, {"type": "goods_title", "text": "Red scarf"}],
        "settings": {"resolution": "720p", "aspect_ratio": "9:16", "duration": 15},
    },
)
_CLOTHES = Body(
    "A film in which other clothes are worn",
    record(
        {
            "contents": contents(
                [
                    _text("product_info", 2500, "exactly one"),
                    item("source_video", {"url": address("mp4 or mov, 5 to 180 s")}, "url", about="exactly one"),
                    _picture("product_image", "1 to 5"),
                    _picture("model_image", "at most 5"),
                    item("bgm", {"url": address("mp3, m4a or wav")}, "url", about="at most one"),
                    item("voice", {"voice_id": text()}, "voice_id", about="at most one, of a catalogue of its own"),
                ]
            ),
            "settings": record({"resolution": _HD, "aspect_ratio": choice(*RATIOS)}),
            "options": new_options(),
        },
        "contents",
    ),
    {
        "contents": [
            {"type": "product_info", "text": "A red scarf of wool"},
            {"type": "source_video", "url": FILM},
            {"type": "product_image", "url": IMAGE},
        ]
    },
)
_AGENT = Body(
    "Somebody who talks, about goods or about anything",
    record(
        {
            "contents": contents(
                [
                    _picture("avatar_image", "who talks: this or avatar_id"),
                    _text("avatar_id", 256, "who talks, of the catalogue"),
                    _text("speech_script", 2000, "exactly one"),
                    _picture("ref_image", "the goods: 1 to 5, required with any goods_*"),
                    _text("goods_title", 500, "required with anything else about goods"),
                    _text("goods_price", 256, "at most one"),
                    _text("goods_target_audience", 200, "at most 20"),
                    _text("goods_selling_point", 500, "at most 20"),
                ]
            ),
            "settings": record(
                {
                    "resolution": _HD,
                    "aspect_ratio": choice("9:16", "16:9", default="9:16"),
                    "allow_polish": flag(False),
                    "voice_id": text(about="required with avatar_image, not allowed with avatar_id"),
                    "speech_rate": choice(0.8, 1.0, 1.2, default=1.0, about="not with goods"),
                    "action_prompt": text(2500),
                    "bgm_enabled": flag(False),
                },
                about="camelCase keys are accepted, too",
            ),
            "options": new_options("watermark"),
        },
        "contents",
    ),
    {
        "contents": [
            {"type": "avatar_id", "text": "avatar_eva_female"},
            {"type": "speech_script", "text": "Hello, and welcome."},
        ]
    },
)
_TRY_ON = Body(
    "A picture of somebody in other clothes",
    record(
        {
            "contents": contents(
                [
                    item("product_image", {"url": address()}, "url", about="exactly one"),
                    item("person_image", {"url": address()}, "url", about="exactly one"),
                ]
            ),
            "settings": record(
                {name: flag(True) for name in ("keep_face", "keep_pose", "keep_background")},
            ),
            "options": new_options("watermark"),
        },
        "contents",
    ),
    {"contents": [{"type": "product_image", "url": IMAGE}, {"type": "person_image", "url": IMAGE}]},
)
_DRAMA = Body(
    "A film with subtitles in another language",
    record(
        {
            "contents": contents(
                [
                    item("source_video", {"url": address("at most 300 s, with sound")}, "url", about="exactly one"),
                    item(
                        "glossary",
                        {"source": text(100), "target": text(100)},
                        "source",
                        "target",
                        about="at most 200",
                    ),
                ]
            ),
            "settings": record(
                {
                    "target_cps": whole(10, 20, 17, "characters per second"),
                    "target_language": choice("en", default="en"),
                    "margin_v": whole(1, 4096, about="pixels"),
                    "font_size": whole(1, 512, about="pixels"),
                }
            ),
            "options": new_options(None),
        },
        "contents",
    ),
    {"contents": [{"type": "source_video", "url": FILM}, {"type": "glossary", "source": "qi", "target": "spirit"}]},
)

SOLUTION_BODIES: dict[str, Body] = {
    "/solutions/e-commerce/goods_studio": _GOODS,
    "/solutions/e-commerce/clothing_dupe": _CLOTHES,
    "/solutions/talking_agent": _AGENT,
    "/solutions/virtual_try_on": _TRY_ON,
    "/solutions/drama_subtitle": _DRAMA,
}

_SOLUTIONS_LISTING = listing(500, STATUS_FILTER)
_SOLUTIONS_LISTING.schema["properties"]["limit"] = {
    "type": "integer",
    "maximum": 500,
    "default": 500,
    "description": "anything below 1 counts as 1",
}


def _ledger(summary: str, *filters: Schema) -> Body:
    fields = {
        "start_time": millis("required without cursor"),
        "end_time": millis("required without cursor"),
        "cursor": text(about="next_cursor of the page before; takes the place of everything else"),
        "limit": whole(1, 500, 500),
        "filters": array({"anyOf": list(filters)}),
    }
    return Body(summary, record(fields), {"start_time": 1795000000000, "end_time": 1796000000000, "limit": 10})


_KEY = filter_of("api_key_name")
LIST_BODIES: dict[str, Body] = {
    "/solutions": _SOLUTIONS_LISTING,
    "/account/billing/package": _ledger(
        "What resource packs paid for",
        _KEY,
        filter_of("product_type", "video", "image", "try-on"),
        filter_of("package_name"),
        filter_of("package_id"),
    ),
    "/account/billing/balance": _ledger("What the balance paid for", _KEY),
}
