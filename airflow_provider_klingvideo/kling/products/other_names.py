"""What Kling's own API and other tools call the fields of a request: refused with the name that is meant here."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

from airflow_provider_klingvideo.errors import named
from airflow_provider_klingvideo.kling.products.retired import FIELDS as RETIRED
from airflow_provider_klingvideo.validation import Advised, similar_name

# Kling's own names: kling-api sections 6 to 8. The others: parameters of Runway, Luma, Pika, fal, Replicate, Veo, Sora,
# Hailuo, Wan, Seedance and of Kling's resellers.
_ROWS = (
    ("model", "model_name model_id model_version engine checkpoint version"),
    ("kind", "product task_type generation_type endpoint"),
    ("prompt text script", "prompt_text text_prompt text caption description input_text instruction"),
    ("negative_prompt", "neg_prompt negative negative_text prompt_negative"),
    ("resolution edit", "mode"),
    ("resolution", "quality size video_quality definition output_resolution resolution_name"),
    ("aspect_ratio", "ratio aspect ar video_ratio image_size video_aspect_ratio"),
    ("duration seconds", "seconds length secs duration_seconds duration_sec duration_s video_length clip_length"),
    ("seconds", "duration"),
    ("audio", "sound generate_audio enable_audio with_audio has_audio audio_mode keep_original_sound"),
    ("audio", "enable_sound generate_sound keep_audio mute"),
    ("cfg_scale", "cfg guidance guidance_scale prompt_strength cfg_value"),
    ("shots", "multi_prompt scenes storyboard shot_list"),
    ("multi_shot", "shot_type multi_shots"),
    ("last_frame", "image_tail tail_image tail_image_url end_image end_image_url end_frame end_frame_url last_image"),
    ("last_frame", "last_frame_url last_frame_image final_frame"),
    (
        "first_frame image images frontal_image human_image url",
        "image image_url img img_url picture photo input_image init_image prompt_image start_image start_image_url "
        "start_frame start_frame_url first_frame_image first_frame_url first_image source_image frame_image keyframe "
        "image_file image_path conditioning_image image_uri image_base64 portrait avatar",
    ),
    (
        "reference_images images subject_images product_images first_frame",
        "image_list image_urls input_images references reference_image_urls reference_image refer_image refer_images "
        "ref_images ref_image keyframes subject_image_list",
    ),
    (
        "video reference_video source_video sample url",
        "video video_url video_list input_video video_file video_uri video_path source_video_url feature_video "
        "base_video reference_video_url ref_video",
    ),
    ("sound music", "audio_url audio_file sound_file sound_url voice_file audio_path input_audio speech"),
    ("elements element", "element_list characters character_ids subjects element_ids"),
    ("voices voice_id", "voice_list voice_ids"),
    ("voice_id name", "voice voice_name speaker"),
    ("speed speech_rate", "voice_speed speech_speed tempo"),
    ("language", "voice_language lang locale"),
    ("sample", "voice_url"),
    ("n", "num_outputs num_images number_of_images number_of_videos num_videos sample_count count"),
    ("n", "batch_size num_samples outputs amount"),
    ("callback_url", "callback webhook webhook_url webhook_uri notify_url notify_hook"),
    ("watermark", "watermark_info add_watermark logo_add water_mark"),
    ("orientation", "character_orientation"),
    ("scene", "effect_scene effect"),
    ("edit", "edit_mode"),
    ("series", "series_amount result_type"),
    *((side, f"{side}_expansion_ratio") for side in ("up", "down", "left", "right")),
    ("name", "element_name"),
    ("description", "element_description goods_description"),
    ("frontal_image", "element_frontal_image"),
    ("reference_images", "element_image_list element_refer_list"),
    ("video", "element_video_list"),
    ("voice_id", "element_voice_id"),
    ("tags", "tag_list"),
    ("cloth_image product_image", "garment_image garm_img clothes_image"),
    ("human_image person_image model_images", "model_image human_img"),
    ("sound_start_ms", "sound_start_time"),
    ("sound_end_ms", "sound_end_time"),
    ("insert_at_ms", "sound_insert_time"),
    ("original_volume", "original_audio_volume"),
    ("effects", "sound_effect_prompt"),
    ("music", "bgm_prompt bgm bgm_enabled background_music"),
    ("asmr", "asmr_mode"),
    ("title", "goods_title"),
    ("price", "goods_price"),
    ("target_audience", "goods_target_audience"),
    ("selling_points", "goods_selling_point"),
    ("script", "speech_script"),
    ("action", "action_prompt"),
)
OTHER_NAMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {name: tuple(meant.split()) for meant, names in _ROWS for name in names.split()}
)
"""Other names, and the fields that may be meant, the likeliest first."""

REMARKS: Mapping[str, str] = MappingProxyType(
    {
        "mode": "std is 720p, pro is 1080p, 4k is 4k",
        "sound": "on is native, off is off",
        "keep_original_sound": "yes is original, no is off",
        "shot_type": "intelligence is true; customize is a list of shots in the field shots",
        "result_type": "series is a number of pictures or auto; single leaves the field out",
    }
)
"""What becomes of the values."""

NOT_HERE: Mapping[str, str] = MappingProxyType(
    {
        "external_task_id": "is made by this provider from the job, its request and its take, and cannot be set",
        "external_id": "is made by this provider from the job, its request and its take, and cannot be set",
        "task_id": "is given by Kling, and cannot be set",
        "seed": "is not known to Kling: a video cannot be made again from a seed",
        "fps": "is not known to Kling; the render plan can change the frames per second of an output",
        "camera_fixed": "is not known to Kling: write the movement of the camera into the prompt",
        "camera": "is not known to Kling: write the movement of the camera into the prompt",
        "camera_motion": "is not known to Kling: write the movement of the camera into the prompt",
        "motion": "is not known to Kling: write it into the prompt",
        "style": "is not known to Kling: write it into the prompt",
        "loop": "is not known to Kling",
        "key": "names a row of a batch, and is not a field of a single request",
    }
)
"""Names that mean nothing here, and why."""

_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+")


COUNTERS = frozenset({"id", "no", "nr", "num", "number", "index", "row", "unnamed_0"})
"""Columns with which tables count or name their rows."""


def meant_by(
    name: str,
    fields: Sequence[str],
    *,
    kind: str = "",
    kinds: Mapping[str, Collection[str]] = MappingProxyType({}),
    nearby: Collection[str] = (),
) -> Advised:
    """Say what is wrong with the name of a field, and which one is meant.

    :param name: as it was given.
    :param fields: the names that are legal in its place.
    :param kind: the product of the request; empty where it is not known, as of the columns of a table.
    :param kinds: the fields of each product.
    :param nearby: fields of another product that the request may be for, as it does not say.
    """
    plain = _WORD.sub("_", name).strip("_").lower()
    if plain in fields:
        return f"{named(name)} is written `{plain}` here", plain
    is_of_request = set(fields) == set(kinds.get(kind, ()))
    known = {*fields, *nearby} if is_of_request else fields
    if meant := next((one for one in OTHER_NAMES.get(plain, ()) if one in known), None):
        return f"{named(name)} is called `{meant}` here{_remark(plain)}", meant
    if plain in RETIRED:
        return f"{named(name)} is retired", RETIRED[plain]
    if plain in NOT_HERE:
        return f"{named(name)} {NOT_HERE[plain]}", "leave it out"
    if plain in COUNTERS:
        return f"{named(name)} is not a field", f"key, where it names a row, or _{plain} for a note"
    elsewhere = _elsewhere(name, plain, kind, kinds) if is_of_request else None
    return elsewhere or similar_name(name, fields)


def _remark(plain: str) -> str:
    return f" ({REMARKS[plain]})" if plain in REMARKS else ""


def _elsewhere(name: str, plain: str, kind: str, kinds: Mapping[str, Collection[str]]) -> Advised | None:
    """Name the products that have such a field, for one that has not."""
    for wanted in (plain, *OTHER_NAMES.get(plain, ())):
        if having := [one for one, fields in kinds.items() if wanted in fields]:
            called = f"is called `{wanted}` here and " if wanted != plain else ""
            return f"{named(name)} {called}is not a field of the kind {kind}", f"with the kind {', '.join(having)}"
    return None
