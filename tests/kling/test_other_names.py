"""Names that Kling's own API and other tools use are refused with the name that is meant here."""

from __future__ import annotations

import pytest

from airflow_provider_klingvideo.kling import PRODUCTS, InvalidRequestError, parse_request
from airflow_provider_klingvideo.kling.products.other_names import NOT_HERE, OTHER_NAMES, REMARKS
from airflow_provider_klingvideo.kling.products.retired import FIELDS as RETIRED

TEXT, PICTURE, OMNI = {"prompt": "A"}, {"kind": "image_to_video", "first_frame": "a.png"}, {"kind": "omni_video"}
PICTURES, MOTION = {"kind": "image", "prompt": "A"}, {"kind": "motion_control", "image": "a.png", "video": "b.mp4"}


def told(params, name, value="x"):
    with pytest.raises(InvalidRequestError) as caught:
        parse_request({**params, name: value})
    (fault,) = [one for one in caught.value.faults if one.where == name]
    return fault


@pytest.mark.parametrize(
    ("params", "name", "meant"),
    [
        # Kling's own.
        (TEXT, "model_name", "model"),
        (TEXT, "mode", "resolution"),
        (TEXT, "sound", "audio"),
        (TEXT, "multi_prompt", "shots"),
        (TEXT, "shot_type", "multi_shot"),
        (TEXT, "watermark_info", "watermark"),
        (TEXT, "image", "first_frame"),
        (TEXT, "image_tail", "last_frame"),
        (PICTURE, "image", "first_frame"),
        (PICTURE, "image_tail", "last_frame"),
        (PICTURE, "element_list", "elements"),
        (PICTURE, "voice_list", "voices"),
        (OMNI, "image_list", "reference_images"),
        (OMNI, "video_list", "reference_video"),
        (OMNI, "video_url", "reference_video"),
        (OMNI, "keep_original_sound", "audio"),
        (MOTION, "character_orientation", "orientation"),
        ({"kind": "multi_elements"}, "edit_mode", "edit"),
        ({"kind": "effect"}, "effect_scene", "scene"),
        ({"kind": "avatar"}, "sound_file", "sound"),
        ({"kind": "lip_sync"}, "sound_end_time", "sound_end_ms"),
        ({"kind": "lip_sync_text"}, "voice_speed", "speed"),
        ({"kind": "video_to_audio"}, "bgm_prompt", "music"),
        ({"kind": "multi_image"}, "subject_image_list", "subject_images"),
        ({"kind": "image_expand"}, "up_expansion_ratio", "up"),
        ({"kind": "omni_image"}, "series_amount", "series"),
        ({"kind": "custom_element"}, "element_name", "name"),
        ({"kind": "custom_voice"}, "voice_url", "sample"),
        ({"kind": "goods_studio"}, "goods_title", "title"),
        ({"kind": "talking_agent"}, "speech_script", "script"),
        # Runway, Luma, fal, Replicate, Veo, Sora, Pika.
        (TEXT, "ratio", "aspect_ratio"),
        (TEXT, "seconds", "duration"),
        (TEXT, "length", "duration"),
        (TEXT, "promptText", "prompt"),
        (TEXT, "promptImage", "first_frame"),
        (TEXT, "image_url", "first_frame"),
        (TEXT, "start_image_url", "first_frame"),
        (TEXT, "tail_image_url", "last_frame"),
        (TEXT, "guidance_scale", "cfg_scale"),
        (TEXT, "generate_audio", "audio"),
        (TEXT, "webhook_url", "callback_url"),
        (TEXT, "size", "resolution"),
        (PICTURES, "num_outputs", "n"),
        (PICTURES, "numImages", "n"),
        (PICTURES, "sampleCount", "n"),
        (MOTION, "video_url", "video"),
        # The right word, written otherwise.
        (TEXT, "Prompt", "prompt"),
        (TEXT, "aspectRatio", "aspect_ratio"),
        (TEXT, "Aspect Ratio", "aspect_ratio"),
        (TEXT, "aspect-ratio", "aspect_ratio"),
        (TEXT, "negativePrompt", "negative_prompt"),
        (TEXT, "CFG scale", "cfg_scale"),
    ],
)
def test_it_is_refused_with_the_name_that_is_meant(params, name, meant):
    fault = told(params, name)
    assert f"`{name}` is called `{meant}` here" in fault.what or f"`{name}` is written `{meant}` here" in fault.what
    assert fault.legal == meant


@pytest.mark.parametrize(
    ("params", "name", "what", "legal"),
    [
        (TEXT, "mode", "`mode` is called `resolution` here (std is 720p, pro is 1080p, 4k is 4k)", "resolution"),
        (TEXT, "n", "`n` is not a field of the kind text_to_video", "with the kind image, omni_image"),
        (TEXT, "elements", "`elements` is not a field of the kind text_to_video", "with the kind image_to_video"),
        (
            PICTURE,
            "aspect_ratio",
            "`aspect_ratio` is not a field of the kind image_to_video",
            "with the kind text_to_v",
        ),
        (TEXT, "external_task_id", "`external_task_id` is made by this provider from the job", "leave it out"),
        (TEXT, "seed", "`seed` is not known to Kling", "leave it out"),
        (TEXT, "camera_control", "`camera_control` is retired", "the words of the prompt"),
        (TEXT, "promt", "`promt` is not a field; did you mean `prompt`?", "the fields kind, "),
        (TEXT, "resolutoin", "`resolutoin` is not a field; did you mean `resolution`?", "the fields kind, "),
    ],
)
def test_a_name_that_means_nothing_here_is_told_why(params, name, what, legal):
    fault = told(params, name)
    assert fault.what.startswith(what)
    assert fault.legal.startswith(legal)


def test_names_that_are_fields_are_taken():
    request = parse_request(
        {**PICTURES, "n": 2, "image": "a.png", "negative_prompt": "", "callback_url": "https://e.org"}
    )
    assert (request.n, request.image) == (2, "a.png")


def test_the_table_names_fields_that_there_are():
    fields = {name for product in PRODUCTS.values() for name in product.request.model_fields} | {
        "url",
        "seconds",
        "api",
    }
    assert {meant for some in OTHER_NAMES.values() for meant in some} <= fields
    assert set(REMARKS) <= set(OTHER_NAMES)
    assert not set(NOT_HERE) & (set(OTHER_NAMES) | set(RETIRED))


@pytest.mark.parametrize("kind", PRODUCTS)
def test_no_other_name_is_silently_taken(kind):
    fields = PRODUCTS[kind].request.model_fields
    for name in OTHER_NAMES.keys() - fields.keys():
        assert told({"kind": kind}, name).what.startswith(f"`{name}` ")
