"""The request bodies of the legacy generation, for the OpenAPI document (kling-api section 7)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_klingvideo.sandbox.account.catalog import LEGACY_MODELS
from airflow_provider_klingvideo.sandbox.openapi.parts import (
    ELEMENT,
    FILM,
    IMAGE,
    PROMPT,
    SOUND,
    Body,
    Schema,
    address,
    array,
    choice,
    file,
    flag,
    legacy_options,
    number,
    picture,
    record,
    text,
    whole,
)
from airflow_provider_klingvideo.sandbox.products.library.elements import TAGS
from airflow_provider_klingvideo.sandbox.products.pictures.effect_scenes import ONE_PICTURE, TWO_PICTURES
from airflow_provider_klingvideo.sandbox.products.pictures.image_requests import RATIOS, TRY_ON_MODELS

_PROMPT = text(2500)
_SHAPE = choice("16:9", "9:16", "1:1")
_SECONDS = choice(*(str(seconds) for seconds in range(3, 16)), default="5", about="seconds; models of 2.x: 5 or 10")
_FIVE_OR_TEN = choice("5", "10", default="5", about="seconds")
_SOUND = choice("on", "off", default="off", about="only where the model has a price for it")
_MODE = choice("std", "pro", default="std")
_MODE_4K = choice("std", "pro", "4k", default="std", about="4k: kling-v3 only")
_ELEMENTS = array(
    record({"element_id": {"type": ["integer", "string"], "description": f"such as {ELEMENT}"}}, "element_id")
)
_SHOTS = {
    "multi_shot": flag(False),
    "shot_type": choice("customize", "intelligence", about="required with multi_shot"),
    "multi_prompt": array(
        record({"index": whole(1, 6), "prompt": text(512), "duration": text()}, "index", "prompt", "duration"),
        1,
        6,
        "required with customize; the durations add up to that of the clip",
    ),
}
_VIDEO = {
    "model_name": choice(*LEGACY_MODELS, about="always name one: the default is retired"),
    "prompt": _PROMPT,
    "negative_prompt": _PROMPT,
    **_SHOTS,
    "sound": _SOUND,
    "cfg_scale": number(0, 1, 0.5, "not for models of 2.x"),
    "mode": _MODE_4K,
    "duration": _SECONDS,
}
_OWN_OR_URL = {
    "video_id": text(about="a clip of the account, at most 30 days old; this or video_url"),
    "video_url": address("this or video_id"),
}
_SPOKEN = {
    "audio_id": text(about="a sound of text to speech; this or sound_file"),
    "sound_file": file("http(s) URL or raw Base64 of mp3, wav, m4a or aac; this or audio_id"),
}
_ANY_SHAPE = choice(*RATIOS, default="16:9")
_COUNT = whole(1, 9, 1)


def _body(
    summary: str,
    fields: Mapping[str, Schema],
    *required: str,
    example: Mapping[str, Any],
    watermark: bool = True,
    needs: str = "",
) -> Body:
    return Body(summary, record({**fields, **legacy_options(watermark=watermark)}, *required), example, needs)


def _answer(
    summary: str, fields: Mapping[str, Schema], *required: str, example: Mapping[str, Any], needs: str = ""
) -> Body:
    """An endpoint without a task, and so without callback and external id."""
    return Body(summary, record(fields, *required), example, needs)


_SESSION = {"session_id": text(about="of init-selection, valid for 24 hours")}
_POINT = record({"x": number(0, 1), "y": number(0, 1)}, "x", "y", about="from the top left corner")
_SELECTION = {**_SESSION, "frame_index": whole(0, 10_000), "points": array(_POINT, 1, 10)}
_SELECTION_EXAMPLE = {"session_id": "of init-selection", "frame_index": 0, "points": [{"x": 0.5, "y": 0.5}]}
_NEEDS_SESSION = "a session of init-selection"

_FACE = record(
    {
        "face_id": text(),
        **_SPOKEN,
        "sound_start_time": whole(0, 60_000, about="milliseconds"),
        "sound_end_time": whole(0, 60_000, about="milliseconds; at least 2000 after the start"),
        "sound_insert_time": whole(0, 60_000, about="milliseconds"),
        "sound_volume": number(0, 2, 1),
        "original_audio_volume": number(0, 2, 1),
    },
    "face_id",
    "sound_start_time",
    "sound_end_time",
    "sound_insert_time",
)
_OLD_LIP_SYNC = record(
    {
        "mode": choice("text2video", "audio2video"),
        **_OWN_OR_URL,
        "text": text(120),
        "voice_id": text(),
        "voice_language": choice("zh", "en", default="zh"),
        "voice_speed": number(0.8, 2, 1),
        "audio_type": choice("file", "url"),
        "audio_file": text(about="raw Base64"),
        "audio_url": address(),
    },
    "mode",
)
_ELEMENT = {
    "element_name": text(20),
    "element_description": text(100),
    "reference_type": choice("image_refer", "video_refer"),
    "element_image_list": record(
        {"frontal_image": picture(), "refer_images": array(record({"image_url": picture()}, "image_url"), 1, 3)},
        "frontal_image",
        "refer_images",
        about="required for image_refer",
    ),
    "element_video_list": record(
        {"refer_videos": array(record({"video_url": address("1080P, 3 to 8 s")}, "video_url"), 1, 1)},
        "refer_videos",
        about="required for video_refer",
    ),
    "element_voice_id": text(),
    "tag_list": array(record({"tag_id": choice(*TAGS)}, "tag_id")),
}

LEGACY_BODIES: dict[str, Body] = {
    "/v1/videos/text2video": _body(
        "A clip from a text",
        {**_VIDEO, "aspect_ratio": _SHAPE | {"default": "16:9"}},
        "model_name",
        example={"model_name": "kling-v3", "prompt": PROMPT, "duration": "5"},
    ),
    "/v1/videos/image2video": _body(
        "A clip from a picture",
        {
            **_VIDEO,
            "image": picture("required"),
            "image_tail": picture("the last frame"),
            "element_list": _ELEMENTS | {"maxItems": 3},
            "voice_list": array(record({"voice_id": text()}, "voice_id"), 0, 2, "needs sound; not with element_list"),
        },
        "model_name",
        "image",
        example={"model_name": "kling-v3", "prompt": PROMPT, "image": IMAGE},
    ),
    "/v1/videos/omni-video": _body(
        "A clip from any references",
        {
            "model_name": choice("kling-video-o1", "kling-v3-omni", default="kling-video-o1"),
            "prompt": _PROMPT,
            **_SHOTS,
            "image_list": array(
                record({"image_url": picture(), "type": choice("first_frame", "end_frame")}, "image_url")
            ),
            "element_list": _ELEMENTS,
            "video_list": array(
                record(
                    {
                        "video_url": address(),
                        "refer_type": choice("base", "feature", default="base"),
                        "keep_original_sound": choice("yes", "no"),
                    },
                    "video_url",
                ),
                0,
                1,
            ),
            "sound": _SOUND,
            "mode": choice("std", "pro", "4k", default="pro", about="4k: kling-v3-omni only"),
            "aspect_ratio": _SHAPE | {"description": "required without a first frame and a video to edit"},
            "duration": _SECONDS | {"description": "seconds; kling-video-o1 up to 10"},
        },
        example={"prompt": PROMPT, "aspect_ratio": "16:9", "duration": "5"},
    ),
    "/v1/videos/motion-control": _body(
        "A clip in which somebody moves as in a video",
        {
            "model_name": choice("kling-v2-6", "kling-v3", default="kling-v2-6"),
            "prompt": _PROMPT,
            "image_url": picture(),
            "video_url": address(),
            "element_list": _ELEMENTS | {"maxItems": 1},
            "keep_original_sound": choice("yes", "no", default="yes"),
            "character_orientation": choice("image", "video"),
            "mode": choice("std", "pro"),
        },
        "image_url",
        "video_url",
        "character_orientation",
        "mode",
        example={"image_url": IMAGE, "video_url": FILM, "character_orientation": "video", "mode": "std"},
    ),
    "/v1/videos/video-extend": _body(
        "Longer clips of retired models, of which none is left",
        {"video_id": text(), "prompt": _PROMPT, "negative_prompt": _PROMPT, "cfg_scale": number(0, 1, 0.5)},
        "video_id",
        example={"video_id": "of a retired model"},
        needs="a clip that nobody has any more",
    ),
    "/v1/videos/multi-elements/init-selection": _answer(
        "Open a session on a clip",
        _OWN_OR_URL,
        example={"video_url": FILM},
        needs="a clip of the account, or one that can be fetched",
    ),
    "/v1/videos/multi-elements/add-selection": _answer(
        "Choose what is at some points of a frame",
        _SELECTION,
        *_SELECTION,
        example=_SELECTION_EXAMPLE,
        needs=_NEEDS_SESSION,
    ),
    "/v1/videos/multi-elements/delete-selection": _answer(
        "Take points back", _SELECTION, *_SELECTION, example=_SELECTION_EXAMPLE, needs=_NEEDS_SESSION
    ),
    "/v1/videos/multi-elements/clear-selection": _answer(
        "Take everything back", _SESSION, *_SESSION, example={"session_id": "of init-selection"}, needs=_NEEDS_SESSION
    ),
    "/v1/videos/multi-elements/preview-selection": _answer(
        "See what is chosen", _SESSION, *_SESSION, example={"session_id": "of init-selection"}, needs=_NEEDS_SESSION
    ),
    "/v1/videos/multi-elements": _body(
        "Add, swap or remove something in a clip",
        {
            **_SESSION,
            "edit_mode": choice("addition", "swap", "removal"),
            "image_list": array(
                record({"image": picture()}, "image"), 0, 2, "addition: 1 or 2, swap: 1, removal: none"
            ),
            "prompt": _PROMPT,
            "negative_prompt": _PROMPT,
            "mode": _MODE,
            "duration": _FIVE_OR_TEN,
        },
        "session_id",
        "edit_mode",
        "prompt",
        example={"session_id": "of init-selection", "edit_mode": "removal", "prompt": PROMPT},
        needs=_NEEDS_SESSION,
    ),
    "/v1/videos/identify-face": _answer(
        "Find the faces in a clip",
        _OWN_OR_URL,
        example={"video_url": FILM},
        needs="a clip of the account, or one that can be fetched",
    ),
    "/v1/videos/advanced-lip-sync": _body(
        "Let a face speak",
        {"session_id": text(about="of identify-face, valid for 24 hours"), "face_choose": array(_FACE, 1, 1)},
        "session_id",
        "face_choose",
        example={
            "session_id": "of identify-face",
            "face_choose": [
                {
                    "face_id": "0",
                    "sound_file": SOUND,
                    "sound_start_time": 0,
                    "sound_end_time": 2000,
                    "sound_insert_time": 0,
                }
            ],
        },
        needs="a session of identify-face",
    ),
    "/v1/videos/lip-sync": _body(
        "Let a face speak, the older way",
        {"input": _OLD_LIP_SYNC},
        "input",
        example={"input": {"mode": "audio2video", "video_url": FILM, "audio_type": "url", "audio_url": SOUND}},
        watermark=False,
    ),
    "/v1/videos/avatar/image2video": _body(
        "Let somebody in a picture speak",
        {"image": picture(), **_SPOKEN, "prompt": _PROMPT, "mode": _MODE},
        "image",
        example={"image": IMAGE, "sound_file": SOUND},
    ),
    "/v1/videos/effects": _body(
        "A clip with an effect",
        {
            "effect_scene": choice(*sorted(ONE_PICTURE | TWO_PICTURES)),
            "input": record(
                {"image": picture("for most scenes"), "images": array(picture(), 2, 2, "for scenes of two")}
            ),
        },
        "effect_scene",
        "input",
        example={"effect_scene": "hug_pro", "input": {"images": [IMAGE, IMAGE]}},
        watermark=False,
    ),
    "/v1/audio/text-to-audio": _body(
        "A sound from a text",
        {"prompt": text(200), "duration": number(3, 10, about="seconds")},
        "prompt",
        "duration",
        example={"prompt": "Steps in snow", "duration": 5},
        watermark=False,
    ),
    "/v1/audio/video-to-audio": _body(
        "A sound for a clip",
        {**_OWN_OR_URL, "sound_effect_prompt": text(200), "bgm_prompt": text(200), "asmr_mode": flag(False)},
        example={"video_url": FILM, "bgm_prompt": "Calm"},
        watermark=False,
    ),
    "/v1/audio/tts": _answer(
        "Speak a text, at once",
        {
            "text": text(1000),
            "voice_id": text(about="of the catalogue of speakers"),
            "voice_language": choice("zh", "en"),
            "voice_speed": number(0.8, 2, 1),
        },
        "text",
        "voice_id",
        "voice_language",
        example={"text": "Hello, and welcome.", "voice_id": "oversea_male1", "voice_language": "en"},
    ),
    "/v1/general/custom-voices": _body(
        "A voice from a sample",
        {
            "voice_name": text(20),
            "voice_url": address("mp3, wav, mp4 or mov, 5 to 30 s; this or video_id"),
            "video_id": text(about="a clip in which somebody speaks; this or voice_url"),
        },
        "voice_name",
        example={"voice_name": "Mine", "voice_url": SOUND},
        watermark=False,
    ),
    "/v1/general/delete-voices": _answer(
        "Delete a voice of your own",
        {"voice_id": text()},
        "voice_id",
        example={"voice_id": "of a voice"},
        needs="a voice of one's own",
    ),
    "/v1/general/advanced-custom-elements": _body(
        "An element from pictures or a clip",
        _ELEMENT,
        "element_name",
        "element_description",
        "reference_type",
        example={
            "element_name": "Fox",
            "element_description": "A red fox",
            "reference_type": "image_refer",
            "element_image_list": {"frontal_image": IMAGE, "refer_images": [{"image_url": IMAGE}]},
            "tag_list": [{"tag_id": "o_103"}],
        },
        watermark=False,
    ),
    **dict.fromkeys(
        ("/v1/general/delete-advanced-elements", "/v1/general/delete-elements"),
        _answer(
            "Delete an element of your own",
            {"element_id": {"type": ["string", "integer"]}},
            "element_id",
            example={"element_id": "of an element"},
            needs="an element of one's own",
        ),
    ),
    "/v1/images/generations": _body(
        "Pictures from a text, or from a picture",
        {
            "model_name": choice("kling-v3", "kling-v2-1", default="kling-v3"),
            "prompt": _PROMPT,
            "negative_prompt": _PROMPT | {"description": "not with image"},
            "image": picture(),
            "image_reference": choice("subject", "face", about="kling-v2-1 only; needs image"),
            "image_fidelity": number(0, 1, about="kling-v2-1 only; 0.5 when not given"),
            "human_fidelity": number(0, 1, about="kling-v2-1 only, with subject; 0.45 when not given"),
            "element_list": _ELEMENTS | {"description": "with image at most 10"},
            "resolution": choice("1k", "2k", default="1k"),
            "n": _COUNT,
            "aspect_ratio": _ANY_SHAPE,
        },
        "prompt",
        example={"model_name": "kling-v3", "prompt": PROMPT, "n": 2},
    ),
    "/v1/images/omni-image": _body(
        "Pictures from any references, alone or as a series",
        {
            "model_name": choice("kling-image-o1", "kling-v3-omni", default="kling-image-o1"),
            "prompt": _PROMPT,
            "image_list": array(record({"image": picture()}, "image"), 0, 10),
            "element_list": _ELEMENTS | {"description": "with images at most 10"},
            "resolution": choice("1k", "2k", "4k", default="1k", about="4k: kling-v3-omni only"),
            "result_type": choice("single", "series", default="single", about="series: kling-v3-omni only"),
            "n": _COUNT,
            "series_amount": {"anyOf": [whole(2, 9), {"const": "auto"}], "default": 4},
            "aspect_ratio": choice(*RATIOS, "auto", default="auto", about="no auto for text alone on kling-v3-omni"),
        },
        "prompt",
        example={"prompt": PROMPT, "aspect_ratio": "1:1"},
    ),
    "/v1/images/multi-image2image": _body(
        "Pictures from several ones",
        {
            "model_name": choice("kling-v2-1", default="kling-v2-1"),
            "prompt": _PROMPT,
            "subject_image_list": array(record({"subject_image": picture()}, "subject_image"), 1, 4),
            "scene_image": picture(),
            "style_image": picture(),
            "n": _COUNT,
            "aspect_ratio": _ANY_SHAPE,
        },
        "subject_image_list",
        example={"prompt": PROMPT, "subject_image_list": [{"subject_image": IMAGE}]},
    ),
    "/v1/images/editing/expand": _body(
        "A picture with more around it",
        {
            "image": picture(),
            **{
                f"{side}_expansion_ratio": number(0, 2, about="the new area is at most 3 times the old one")
                for side in ("up", "down", "left", "right")
            },
            "prompt": _PROMPT,
            "n": _COUNT,
        },
        "image",
        *(f"{side}_expansion_ratio" for side in ("up", "down", "left", "right")),
        example={
            "image": IMAGE,
            "up_expansion_ratio": 0,
            "down_expansion_ratio": 0,
            "left_expansion_ratio": 0.5,
            "right_expansion_ratio": 0.5,
        },
    ),
    "/v1/general/ai-multi-shot": _body(
        "Views of something from other sides",
        {"element_frontal_image": picture()},
        "element_frontal_image",
        example={"element_frontal_image": IMAGE},
        watermark=False,
    ),
    "/v1/images/kolors-virtual-try-on": _body(
        "A picture of somebody in other clothes",
        {
            "model_name": choice(*TRY_ON_MODELS, default=TRY_ON_MODELS[0]),
            "human_image": picture(),
            "cloth_image": picture(),
        },
        "human_image",
        "cloth_image",
        example={"human_image": IMAGE, "cloth_image": IMAGE},
        watermark=False,
    ),
    "/v1/videos/image-recognize": _answer(
        "Find object, head, face and clothes in a picture",
        {"image": picture()},
        "image",
        example={"image": IMAGE},
        needs="a picture that can be fetched",
    ),
}
