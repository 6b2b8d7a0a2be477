"""Derive the package's data on Kling, ``capabilities.json`` and ``endpoints.json``, from the capability sheet.

``python scripts/derive_capabilities.py`` reads ``kling-capabilities.json`` beside it and writes both files where they
lie in the package; ``--check`` writes nothing and tells which of them is out of date.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

SHEET = Path(__file__).with_name("kling-capabilities.json")
PACKAGE = Path(__file__).parents[1] / "airflow_provider_klingvideo"
MANY = 10
VOICES = 2  # kling-api section 7.2

# Products with models: path in the sheet -> kind and API family.
KINDS = {
    "/text-to-video": ("text_to_video", "new"),
    "/image-to-video": ("image_to_video", "new"),
    "/omni-video": ("omni_video", "new"),
    "/motion-control": ("motion_control", "new"),
    "/v1/videos/text2video": ("text_to_video", "legacy"),
    "/v1/videos/image2video": ("image_to_video", "legacy"),
    "/v1/videos/omni-video": ("omni_video", "legacy"),
    "/v1/videos/motion-control": ("motion_control", "legacy"),
    "/v1/images/generations": ("image", "legacy"),
    "/v1/images/omni-image": ("omni_image", "legacy"),
    "/v1/images/multi-image2image": ("multi_image", "legacy"),
}
# Products without models: path of the create endpoint -> kind, label, and how long a task takes (generation_times).
MODELLESS = {
    "/v1/videos/avatar/image2video": ("avatar", "Avatar", 300),
    "/v1/videos/advanced-lip-sync": ("lip_sync", "Lip-sync", 455),
    "/v1/videos/lip-sync": ("lip_sync_text", "Lip-sync of a text", 455),
    "/v1/videos/effects": ("effect", "Effects", 320),
    "/v1/videos/multi-elements": ("multi_elements", "Multi-elements editing", 180),
    "/v1/audio/text-to-audio": ("text_to_audio", "Text to audio", 40),
    "/v1/audio/video-to-audio": ("video_to_audio", "Video to audio", 60),
    "/v1/images/editing/expand": ("image_expand", "Image expansion", 32),
    "/v1/general/ai-multi-shot": ("image_multi_shot", "AI multi-shot images", 60),
    "/v1/images/kolors-virtual-try-on": ("kolors_virtual_try_on", "Kolors virtual try-on", 19),
    "/v1/general/custom-voices": ("custom_voice", "Custom voice", 9),
    "/v1/general/advanced-custom-elements": ("custom_element", "Custom element", 60),
    "/solutions/e-commerce/goods_studio": ("goods_studio", "Goods studio", 600),
    "/solutions/e-commerce/clothing_dupe": ("clothing_dupe", "Clothing dupe", 900),
    "/solutions/talking_agent": ("talking_agent", "Talking agent", 600),
    "/solutions/virtual_try_on": ("virtual_try_on", "Virtual try-on", 19),
    "/solutions/drama_subtitle": ("drama_subtitle", "Drama subtitles", 600),
}
# One name per model, whatever an API family calls it.
COMMON_NAMES = {
    "kling-v3": "kling-3.0",
    "kling-v2-6": "kling-2.6",
    "kling-v2-5-turbo": "kling-2.5-turbo",
    "kling-v3-omni": "kling-3.0-omni",
    "kling-video-o1": "kling-o1",
}
LABELS = {
    "kling-3.0-turbo": "Kling 3.0 Turbo (always with sound)",
    "kling-3.0": "Kling 3.0",
    "kling-3.0-omni": "Kling 3.0 Omni",
    "kling-o1": "Kling O1",
    "kling-2.6": "Kling 2.6",
    "kling-2.5-turbo": "Kling 2.5 Turbo",
    "kling-image-o1": "Kling Image O1",
    "kling-v2-1": "Kling 2.1",
}
# Middle of what the sheet's generation_times observed; 2.6 has no observation, so Kling's own 60-300 s stand in.
TYPICAL_SECONDS = {"kling-3.0-turbo": 40, "kling-3.0": 150, "kling-2.6": 120, "kling-2.5-turbo": 45}
TYPICAL_IMAGE_SECONDS = 30
SUCCESSORS = {"kling-v1": "kling-2.5-turbo", "kling-v2": "kling-3.0"}
IMAGE_SUCCESSOR = "kling-3.0"
LEGACY_PROMPT_MAX = 2500
# The sheet's money for a unit -> the region that charges it.
CURRENCIES = {
    "usd": {"region": "singapore", "currency": "USD"},
    "cny": {"region": "beijing", "currency": "CNY"},
}
# What costs nothing is on no list of the sheet.
FREE = {
    "model": "custom_element",
    "feature": "any",
    "per": "call",
    "units": {"any": "0"},
    "source": "kling-api section 9",
    "confidence": "live-probe",
}
RESOLUTION_OF_MODE = {"std": "720p", "pro": "1080p", "4k": "4k"}
# The sheet's features in one word each; what is not listed has one price, ``any``.
PRICED_FEATURES = {
    "silent": "off",
    "native audio": "native",
    "native audio (always)": "native",
    "native audio + voice control": "native+voice",
    "motion control": "motion",
    "no video input": "off",
    "no video input, silent": "off",
    "no video input, native audio": "native",
    "with video input": "video",
    "with video input, no native audio": "video",
    "t2i": "text",
    "i2i": "image",
    "multi-image": "multi-image",
}
# The sheet's name of a product in its price list -> the name here.
PRICED_PRODUCTS = {
    "lip-sync": "lip_sync",
    "text-to-audio": "text_to_audio",
    "video-to-audio": "video_to_audio",
    "custom voice": "custom_voice",
    "face recognition": "identify_faces",
    "image recognition": "recognize_image",
    "ai-multi-shot": "image_multi_shot",
    "expand": "image_expand",
}


def main(check: bool) -> int:
    """Write what is out of date; with ``check`` write nothing and return 1 when something is."""
    sheet = json.loads(SHEET.read_text(encoding="utf-8"))
    stale = {path: text for path, text in derive(sheet).items() if path.read_text(encoding="utf-8") != text}
    print(f"out of date: {', '.join(path.name for path in stale) or 'nothing'}")
    if check:
        return 1 if stale else 0
    for path, text in stale.items():
        path.write_text(text, encoding="utf-8")
    return 0


def derive(sheet: dict[str, Any]) -> dict[Path, str]:
    """The text of each data file, by its path."""
    return {
        _place("capabilities.json"): _text(_capabilities(sheet)),
        _place("endpoints.json"): _text([_endpoint(entry) for entry in sheet["endpoints"]]),
    }


def _place(name: str) -> Path:
    (path,) = PACKAGE.rglob(name)
    return path


def _text(data: Any) -> str:
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


def _capabilities(sheet: dict[str, Any]) -> dict[str, Any]:
    rows = [_row(entry, *KINDS[entry["endpoint"]]) for entry in sheet["models"] if entry["endpoint"] in KINDS]
    creates = {entry["path"]: entry for entry in sheet["endpoints"] if entry["kind"] == "create"}
    rows += [_modelless(creates[path], *names) for path, names in MODELLESS.items()]
    return {
        "as_of": sheet["meta"]["as_of"],
        "derived_by": "scripts/derive_capabilities.py",
        "models": rows,
        "prices": _prices(sheet["prices"]),
        "rates": [
            {"pack": entry["unit"].removesuffix(" unit"), **place, "money": str(entry[name]), **_origin(entry)}
            for entry in sheet["unit_values"]
            for name, place in CURRENCIES.items()
        ],
        "effect_scenes": [_scene(entry) for entry in sheet["effect_scenes"] if "absent" not in entry["status"]],
        "voices": {entry["language"]: entry["values"] for entry in sheet["tts_voices"]},
    }


def _row(entry: dict[str, Any], kind: str, family: str) -> dict[str, Any]:
    features, name = entry.get("features") or {}, entry["model"]
    model = COMMON_NAMES.get(name, name)
    legacy = family == "legacy"
    is_image = "image" in kind and "video" not in kind
    last_frame = features.get("image_tail" if legacy else "last_frame", features.get("first_end_frame", False))
    durations = entry.get("durations")
    return {
        "kind": kind,
        "family": family,
        "model": model,
        "vendor_name": name,
        "label": LABELS.get(model, model),
        "status": entry.get("status", "current"),
        "retired_on": entry.get("retired_on"),
        "successor": _successor(name, is_image=is_image) if entry.get("status") == "retired" else None,
        "resolutions": [RESOLUTION_OF_MODE[mode] for mode in entry["modes"] if mode]
        if "modes" in entry
        else entry.get("resolutions") or [],
        "durations": [int(seconds) for seconds in durations] if isinstance(durations, list) else [],
        "aspect_ratios": entry.get("aspect_ratios"),
        **_audio(kind, features.get("sound") if legacy else features.get("audio")),
        "last_frame": bool(last_frame),
        "last_frame_resolution": "1080p" if isinstance(last_frame, str) and _needs_pro(last_frame) else None,
        "last_frame_silent": isinstance(last_frame, str) and "silent" in last_frame,
        "elements": _count(features.get("element_list" if legacy else "element")),
        "voices": min(VOICES, _count(features.get("voice_list" if legacy else "voice"))),
        "prompt_max": features.get("prompt_max", LEGACY_PROMPT_MAX),
        "negative_prompt": legacy and kind in ("text_to_video", "image_to_video", "image"),
        "cfg_scale": legacy and kind in ("text_to_video", "image_to_video") and features.get("cfg_scale") is not False,
        "multi_shot": features.get("multi_shot") is True,
        "shots": bool(features.get("multi_shot")),
        "fps": entry.get("fps"),
        "typical_seconds": TYPICAL_IMAGE_SECONDS if is_image else TYPICAL_SECONDS.get(model, 120),
        **_origin(entry),
    }


def _modelless(entry: dict[str, Any], kind: str, label: str, typical_seconds: int) -> dict[str, Any]:
    body = entry["body"]
    modes = [*body.get("mode", {}).get("enum", []), *body.get("settings.resolution", {}).get("enum", [])]
    seconds = body.get("settings.duration", body.get("duration", {})).get("enum", [])
    ratios = body.get("settings.aspect_ratio", body.get("aspect_ratio", {})).get("enum")
    return {
        "kind": kind,
        "family": entry["generation"],
        "model": kind,
        "vendor_name": kind,
        "label": label,
        "status": "current",
        "retired_on": None,
        "successor": None,
        "resolutions": [RESOLUTION_OF_MODE.get(mode, mode) for mode in modes],
        "durations": [int(one) for one in seconds],
        "aspect_ratios": ratios,
        **_audio(kind, None),
        "last_frame": False,
        "last_frame_resolution": None,
        "last_frame_silent": False,
        "elements": 0,
        "voices": 0,
        "prompt_max": body.get("prompt", {}).get("max_length", LEGACY_PROMPT_MAX) if "prompt" in body else 0,
        "negative_prompt": "negative_prompt" in body,
        "cfg_scale": False,
        "multi_shot": False,
        "shots": False,
        "fps": None,
        "typical_seconds": typical_seconds,
        **_origin(entry),
    }


def _successor(name: str, *, is_image: bool) -> str:
    if is_image:
        return IMAGE_SUCCESSOR
    return next(new for old, new in SUCCESSORS.items() if name.startswith(old))


def _count(value: Any) -> int:
    """The sheet has a number, or a word for what special rules limit: then many, and the rules decide."""
    return value if type(value) is int else MANY if value else 0


def _audio(kind: str, value: Any) -> dict[str, Any]:
    text = json.dumps(value)
    if "always" in text:
        return {"audio": ["native"], "native_audio_resolution": None}
    if kind == "motion_control":
        return {"audio": ["original", "off"], "native_audio_resolution": None}
    if kind == "omni_video":
        native = value is True or "native" in text
        return {"audio": ["off", "original", *(["native"] if native else [])], "native_audio_resolution": None}
    if not value:
        return {"audio": ["off"], "native_audio_resolution": None}
    return {
        "audio": ["off", "native"],
        "native_audio_resolution": "1080p" if _needs_pro(text) else None,
    }


def _needs_pro(text: str) -> bool:
    return "1080p" in text or "pro" in text


def _prices(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for entry in entries:
        if entry.get("status") == "retired model" or entry["kind"] in ("solutions", "observed"):
            continue
        model = PRICED_PRODUCTS.get(entry["model"], COMMON_NAMES.get(entry["model"], entry["model"]))
        row = rows.setdefault(
            (model, PRICED_FEATURES.get(entry["feature"], "any")),
            {
                "model": model,
                "feature": PRICED_FEATURES.get(entry["feature"], "any"),
                "per": entry["per"],
                "units": {},
                **_origin(entry),
            },
        )
        units = {key: str(value) for key, value in entry["units"].items() if value is not None}
        row["units"] |= {"4k": units["any"]} if entry.get("resolution") == "4K" else units
    return [*rows.values(), FREE]


def _scene(entry: dict[str, Any]) -> dict[str, Any]:
    found = re.search(r"discontinued (\d{4}-\d{2}-\d{2})", entry["status"])
    return {
        "name": entry["name"],
        "images": entry["images"],
        "discontinued_on": found and found[1],
        "is_gone": found is not None and "still" not in entry["status"],
    }


def _endpoint(entry: dict[str, Any]) -> dict[str, Any]:
    """An endpoint, with every field that its body is documented to have."""
    body = entry.get("body", {})
    return {
        **{name: entry[name] for name in ("name", "method", "path", "kind", "status")},
        "family": entry["generation"],
        "fields": list(body),
        "contents": body.get("contents", {}).get("item_types", []),
    }


def _origin(entry: dict[str, Any]) -> dict[str, Any]:
    return {"source": entry["source"], "confidence": entry["confidence"]}


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
