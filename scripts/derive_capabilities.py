"""Derive the capability registry's data file from the vendor's capability sheet (JSON).

``python scripts/derive_capabilities.py SHEET`` writes ``airflow_provider_klingvideo/kling/capabilities.json``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parents[1] / "airflow_provider_klingvideo" / "kling" / "capabilities.json"

KINDS = {
    "/text-to-video": ("text_to_video", "new"),
    "/image-to-video": ("image_to_video", "new"),
    "/v1/videos/text2video": ("text_to_video", "legacy"),
    "/v1/videos/image2video": ("image_to_video", "legacy"),
}
# One name per model, whatever a generation calls it.
COMMON_NAMES = {"kling-v3": "kling-3.0", "kling-v2-6": "kling-2.6", "kling-v2-5-turbo": "kling-2.5-turbo"}
LABELS = {
    "kling-3.0-turbo": "Kling 3.0 Turbo (always with sound)",
    "kling-3.0": "Kling 3.0",
    "kling-2.6": "Kling 2.6",
    "kling-2.5-turbo": "Kling 2.5 Turbo",
}
# Middle of what the sheet's generation_times observed; 2.6 has no observation, so the vendor's 60-300 s stand in.
TYPICAL_SECONDS = {"kling-3.0-turbo": 40, "kling-3.0": 150, "kling-2.6": 120, "kling-2.5-turbo": 45}
SUCCESSORS = {"kling-v1": "kling-2.5-turbo", "kling-v2": "kling-3.0"}
LEGACY_PROMPT_MAX = 2500
RESOLUTION_OF_MODE = {"std": "720p", "pro": "1080p", "4k": "4k"}
PRICED_FEATURES = {"silent": "off", "native audio": "native", "native audio (always)": "native"}


def main(sheet_path: str) -> None:
    """Write the data file."""
    sheet = json.loads(Path(sheet_path).read_text())
    rows = [_row(entry, *KINDS[entry["endpoint"]]) for entry in sheet["models"] if entry["endpoint"] in KINDS]
    models = {row["model"] for row in rows}
    prices = [_price(entry) for entry in sheet["prices"] if _is_priced(entry, models)]
    data = {
        "as_of": sheet["meta"]["as_of"],
        "derived_by": "scripts/derive_capabilities.py",
        "models": rows,
        "prices": prices,
        "usd_per_unit": {"usd": str(sheet["unit_values"][0]["usd"]), **_origin(sheet["unit_values"][0])},
    }
    TARGET.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n")


def _row(entry: dict[str, Any], kind: str, generation: str) -> dict[str, Any]:
    features, name = entry["features"], entry["model"]
    model = COMMON_NAMES.get(name, name)
    legacy = generation == "legacy"
    last_frame = features.get("image_tail" if legacy else "last_frame", False)
    return {
        "kind": kind,
        "generation": generation,
        "model": model,
        "vendor_name": name,
        "label": LABELS.get(model, model),
        "status": entry.get("status", "current"),
        "retired_on": entry.get("retired_on"),
        "successor": next((new for old, new in SUCCESSORS.items() if legacy and name.startswith(old)), None)
        if entry.get("status") == "retired"
        else None,
        "resolutions": [RESOLUTION_OF_MODE[mode] for mode in entry["modes"] if mode]
        if legacy
        else entry["resolutions"],
        "durations": [int(seconds) for seconds in entry["durations"]],
        "aspect_ratios": entry["aspect_ratios"],
        **_audio(features.get("sound") if legacy else features.get("audio")),
        "last_frame": bool(last_frame),
        "last_frame_resolution": "1080p" if isinstance(last_frame, str) and _needs_pro(last_frame) else None,
        "last_frame_silent": isinstance(last_frame, str) and "silent" in last_frame,
        "prompt_max": LEGACY_PROMPT_MAX if legacy else features["prompt_max"],
        "negative_prompt": legacy,
        "cfg_scale": legacy and features.get("cfg_scale") is not False,
        "multi_shot": features.get("multi_shot") is True,
        "fps": entry["fps"],
        "typical_seconds": TYPICAL_SECONDS.get(model, 120),
        **_origin(entry),
    }


def _audio(value: Any) -> dict[str, Any]:
    text = json.dumps(value)
    if "always" in text:
        return {"audio": ["native"], "native_audio_resolution": None}
    if not value:
        return {"audio": ["off"], "native_audio_resolution": None}
    return {
        "audio": ["off", "native"],
        "native_audio_resolution": "1080p" if "1080p" in text or "pro" in text else None,
    }


def _needs_pro(text: str) -> bool:
    return "1080p" in text or "pro" in text


def _is_priced(entry: dict[str, Any], models: set[str]) -> bool:
    return entry["model"] in models and entry["per"] == "second" and entry["feature"] in PRICED_FEATURES


def _price(entry: dict[str, Any]) -> dict[str, Any]:
    units = {resolution: str(value) for resolution, value in entry["units"].items() if value is not None}
    return {
        "model": entry["model"],
        "audio": PRICED_FEATURES[entry["feature"]],
        "units_per_second": units,
        **_origin(entry),
    }


def _origin(entry: dict[str, Any]) -> dict[str, Any]:
    return {"source": entry["source"], "confidence": entry["confidence"]}


if __name__ == "__main__":
    main(sys.argv[1])
