"""The video products beside text and image to video: bodies as documented, every rule broken alone, prices."""

from __future__ import annotations

import contextlib
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_klingvideo.errors import Money
from airflow_provider_klingvideo.kling import (
    ApiFamily,
    InvalidRequestError,
    check_request,
    parse_request,
    quote,
    registry,
)
from airflow_provider_klingvideo.kling.client.operations import create
from airflow_provider_klingvideo.kling.products import PRODUCTS
from airflow_provider_klingvideo.kling.products.parts import with_placeholders

NEW, LEGACY = ApiFamily.NEW, ApiFamily.LEGACY
A, B, CLIP, SOUND = "https://e.org/a.png", "https://e.org/b.png", "https://e.org/c.mp4", "https://e.org/d.mp3"
HERO = {"element_id": "829836802793406551", "id": "hero"}
ACTOR = {"element_id": "2", "id": "actor", "from_video": True}
ACTORS = [{**ACTOR, "id": f"actor{n}"} for n in range(4)]
PICTURES = [{"url": A, "id": f"p{n}"} for n in range(8)]
FEATURE, BASE = {"url": CLIP, "use": "feature", "id": "clip"}, {"url": CLIP, "use": "base", "id": "clip"}
SHOTS = [{"prompt": "@hero runs", "seconds": 2}, {"prompt": "rain", "seconds": 3}]
KLING_3 = {"model": "kling-3.0"}
VOICE = {"voice_id": "v1", "id": "anna"}

PICTURE = {"kind": "image_to_video", "first_frame": A, "prompt": "A fox"}
OMNI = {"kind": "omni_video", "prompt": "A fox", "aspect_ratio": "16:9"}
O1 = {**OMNI, "model": "kling-o1"}
MOTION = {"kind": "motion_control", "image": A, "video": CLIP}
AVATAR = {"kind": "avatar", "image": A, "sound": SOUND}
LIPS = {"kind": "lip_sync", "session_id": "s", "face_id": "f", "sound": SOUND, "sound_end_ms": 3000}
SPOKEN = {"kind": "lip_sync_text", "video": CLIP, "text": "Hello", "voice_id": "v"}
EFFECT = {"kind": "effect", "scene": "pet_skateboard", "images": [A, B]}
EDIT = {"kind": "multi_elements", "session_id": "s", "edit": "removal", "prompt": "no cat"}
MINIMAL = [PICTURE, OMNI, O1, MOTION, AVATAR, LIPS, SPOKEN, EFFECT, EDIT]
OPTIONS = {"external_task_id": "job-1"}


def body(params, family):
    request = parse_request(params)
    check_request(request, family)
    operation = create(request, family, "job-1")
    return operation.path, operation.json


def faults(params, family):
    request = parse_request(params)
    can = registry().find(request.kind, request.model_name, family)
    return [fault for rule in PRODUCTS[request.kind].rules for fault in rule(request, can)]


class TestNewBodies:
    def test_image_with_elements(self):
        params = {**PICTURE, **KLING_3, "prompt": "@hero turns", "elements": [HERO], "multi_shot": False}
        assert body(params, NEW) == (
            "/image-to-video/kling-3.0",
            {
                "contents": [
                    {"type": "prompt", "text": "@hero turns"},
                    {"type": "first_frame", "url": A},
                    {"type": "element", "element_id": HERO["element_id"], "id": "hero"},
                ],
                "settings": {"resolution": "720p", "duration": 5, "multi_shot": False},
                "options": OPTIONS,
            },
        )

    def test_image_with_voices(self):
        params = {**PICTURE, "model": "kling-2.6", "resolution": "1080p", "audio": "native", "voices": [VOICE]}
        _, sent = body(params, NEW)
        assert sent["contents"][2:] == [{"type": "voice", "voice_id": "v1", "id": "anna"}]
        assert sent["settings"] == {"resolution": "1080p", "duration": 5, "audio": "native"}

    def test_shots(self):
        _, sent = body({"kind": "text_to_video", **KLING_3, "shots": SHOTS}, NEW)
        assert sent["prompt"] == "shot 1, 2, @hero runs; shot 2, 3, rain;"
        assert sent["settings"]["multi_shot"] is True

    def test_omni_from_everything(self):
        params = {
            **OMNI,
            "prompt": "@hero and @p0 as in @clip",
            "aspect_ratio": None,
            "reference_images": PICTURES[:1],
            "elements": [HERO],
            "first_frame": A,
            "last_frame": B,
            "reference_video": FEATURE,
        }
        assert body(params, NEW) == (
            "/omni-video/kling-3.0-omni",
            {
                "contents": [
                    {"type": "prompt", "text": "@hero and @p0 as in @clip"},
                    {"type": "first_frame", "url": A},
                    {"type": "last_frame", "url": B},
                    {"type": "refer_image", "url": A, "id": "p0"},
                    {"type": "element", **HERO},
                    {"type": "feature_video", "url": CLIP, "id": "clip"},
                ],
                "settings": {"resolution": "720p", "duration": 5, "multi_shot": True},
                "options": OPTIONS,
            },
        )

    def test_a_changed_video_is_one_shot(self):
        _, sent = body({**OMNI, "reference_video": BASE, "audio": "original"}, NEW)
        assert sent["contents"][1] == {"type": "base_video", "url": CLIP, "id": "clip"}
        assert (sent["settings"]["multi_shot"], sent["settings"]["audio"]) == (False, "original")

    def test_motion(self):
        assert body({**MOTION, "prompt": "@hero dances", "element": HERO, "audio": "off"}, NEW) == (
            "/motion-control/kling-3.0",
            {
                "contents": [
                    {"type": "image", "url": A},
                    {"type": "video", "url": CLIP},
                    {"type": "prompt", "text": "@hero dances"},
                    {"type": "element", **HERO},
                ],
                "settings": {"character_orientation": "video", "audio": "off", "resolution": "720p"},
                "options": OPTIONS,
            },
        )


class TestLegacyBodies:
    def test_image_with_elements_and_shots(self):
        params = {**PICTURE, **KLING_3, "prompt": "", "elements": [HERO], "shots": SHOTS}
        assert body(params, LEGACY) == (
            "/v1/videos/image2video",
            {
                "model_name": "kling-v3",
                "mode": "std",
                "duration": "5",
                "image": A,
                "element_list": [{"element_id": 829836802793406551}],
                "multi_shot": True,
                "shot_type": "customize",
                "multi_prompt": [
                    {"index": 1, "prompt": "<<<element_1>>> runs", "duration": "2"},
                    {"index": 2, "prompt": "rain", "duration": "3"},
                ],
                **OPTIONS,
            },
        )

    def test_image_with_voices(self):
        params = {**PICTURE, "model": "kling-2.6", "resolution": "1080p", "audio": "native", "voices": [VOICE]}
        _, sent = body({**params, "prompt": "@anna speaks"}, LEGACY)
        assert (sent["prompt"], sent["voice_list"]) == ("<<<voice_1>>> speaks", [{"voice_id": "v1"}])

    def test_omni_from_everything(self):
        params = {
            **OMNI,
            "prompt": "@hero and @p as in @plan",
            "resolution": "1080p",
            "reference_images": [{"url": A, "id": "p"}],
            "elements": [HERO],
            "first_frame": A,
            "last_frame": B,
            "reference_video": {**FEATURE, "id": "plan"},
        }
        assert body(params, LEGACY) == (
            "/v1/videos/omni-video",
            {
                "model_name": "kling-v3-omni",
                "mode": "pro",
                "prompt": "<<<element_1>>> and <<<image_1>>> as in <<<video_1>>>",
                "image_list": [
                    {"image_url": A},
                    {"image_url": A, "type": "first_frame"},
                    {"image_url": B, "type": "end_frame"},
                ],
                "element_list": [{"element_id": 829836802793406551}],
                "video_list": [{"video_url": CLIP, "refer_type": "feature", "keep_original_sound": "no"}],
                "sound": "off",
                "aspect_ratio": "16:9",
                "duration": "5",
                **OPTIONS,
            },
        )

    def test_motion(self):
        params = {**MOTION, "prompt": "@hero dances", "element": HERO, "audio": "off", "resolution": "1080p"}
        assert body(params, LEGACY) == (
            "/v1/videos/motion-control",
            {
                "model_name": "kling-v3",
                "image_url": A,
                "video_url": CLIP,
                "character_orientation": "video",
                "mode": "pro",
                "keep_original_sound": "no",
                "prompt": "<<<element_1>>> dances",
                "element_list": [{"element_id": 829836802793406551}],
                **OPTIONS,
            },
        )

    @pytest.mark.parametrize(
        ("params", "path", "expected"),
        [
            (
                {**AVATAR, "prompt": "nods", "watermark": True},
                "/v1/videos/avatar/image2video",
                {
                    "image": A,
                    "sound_file": SOUND,
                    "prompt": "nods",
                    "mode": "std",
                    "watermark_info": {"enabled": True},
                },
            ),
            (
                LIPS,
                "/v1/videos/advanced-lip-sync",
                {
                    "session_id": "s",
                    "face_choose": [
                        {
                            "face_id": "f",
                            "sound_file": SOUND,
                            "sound_start_time": 0,
                            "sound_end_time": 3000,
                            "sound_insert_time": 0,
                            "sound_volume": 1,
                            "original_audio_volume": 1,
                        }
                    ],
                },
            ),
            (
                SPOKEN,
                "/v1/videos/lip-sync",
                {
                    "input": {
                        "mode": "text2video",
                        "video_url": CLIP,
                        "text": "Hello",
                        "voice_id": "v",
                        "voice_language": "en",
                        "voice_speed": 1.0,
                    }
                },
            ),
            (EFFECT, "/v1/videos/effects", {"effect_scene": "pet_skateboard", "input": {"images": [A, B]}}),
            (
                {**EDIT, "edit": "swap", "images": [A]},
                "/v1/videos/multi-elements",
                {
                    "session_id": "s",
                    "edit_mode": "swap",
                    "image_list": [{"image": A}],
                    "prompt": "no cat",
                    "mode": "std",
                    "duration": "5",
                },
            ),
        ],
        ids=lambda one: one["kind"] if isinstance(one, dict) and "kind" in one else "",
    )
    def test_products_of_this_generation_alone(self, params, path, expected):
        assert body(params, LEGACY) == (path, {**expected, **OPTIONS})

    def test_an_effect_with_one_picture(self):
        scene = next(one for one in registry().effect_scenes.values() if one.images == 1 and not one.is_gone)
        assert body({**EFFECT, "scene": scene.name, "images": [A]}, LEGACY)[1]["input"] == {"image": A}


@pytest.mark.parametrize(
    ("params", "family", "words"),
    [
        (
            {**PICTURE, **KLING_3, "elements": [{**HERO, "id": str(n)} for n in range(4)]},
            NEW,
            "elements: has 4 entries (legal: at most 3)",
        ),
        ({**PICTURE, "elements": [HERO]}, NEW, "elements: has 1 entry (legal: none with kling-3.0-turbo in the new AP"),
        ({**PICTURE, **KLING_3, "elements": [HERO, HERO]}, NEW, "id: 'hero' is given 2 times (legal: an id of its own"),
        ({**PICTURE, "model": "kling-2.6", "voices": [VOICE]}, NEW, "audio: 'default' is not offered (legal: native w"),
        (
            {**PICTURE, **KLING_3, "prompt": "", "shots": [{"prompt": "x", "seconds": 4}]},
            NEW,
            "shots: last 4 s together (legal: 5 s, which is the duration)",
        ),
        ({**PICTURE, **KLING_3, "shots": SHOTS}, NEW, "prompt: is given with shots, which have prompts of their own ("),
        (
            {**PICTURE, **KLING_3, "prompt": "", "shots": SHOTS, "multi_shot": False},
            NEW,
            "multi_shot: False contradicts the shots (legal: left out)",
        ),
        (
            {**PICTURE, **KLING_3, "prompt": "", "duration": 7, "shots": [{"prompt": "x", "seconds": 1}] * 7},
            LEGACY,
            "shots: has 7 entries (legal: at most 6)",
        ),
        (
            {**PICTURE, **KLING_3, "prompt": "", "shots": [{"prompt": "x" * 513, "seconds": 5}]},
            NEW,
            "shots.0.prompt: has 513 characters (legal: at most 512 characters)",
        ),
        (
            {
                **PICTURE,
                **KLING_3,
                "prompt": "",
                "shots": [{"prompt": "x", "seconds": 0}, {"prompt": "x", "seconds": 5}],
            },
            NEW,
            "shots.0.seconds: 0 is too small (legal: at least 1)",
        ),
        ({**PICTURE, "model": "kling-2.6", "prompt": "", "shots": SHOTS}, NEW, "shots: are not known to kling-2.6 (le"),
        ({**OMNI, "prompt": ""}, NEW, "prompt: is missing (legal: a text, or frames, shots, reference_images, element"),
        ({**OMNI, "aspect_ratio": None}, NEW, "aspect_ratio: is missing (legal: 16:9, 9:16, 1:1; not needed with a fi"),
        ({**OMNI, "aspect_ratio": None, "reference_video": FEATURE}, LEGACY, "aspect_ratio: is missing (legal: 16:9,"),
        ({**OMNI, "last_frame": A}, NEW, "last_frame: is given without a first_frame (legal: only with a first_frame)"),
        ({**OMNI, "audio": "native", "reference_video": BASE}, NEW, "audio: 'native' is not offered (legal: original,"),
        ({**OMNI, "audio": "native", "reference_video": FEATURE}, LEGACY, "audio: 'native' is not offered (legal: ori"),
        ({**OMNI, "audio": "original", "reference_video": FEATURE}, NEW, "audio: 'original' is not offered (legal: of"),
        ({**OMNI, "multi_shot": True, "reference_video": BASE}, NEW, "multi_shot: several shots are asked for of a re"),
        ({**OMNI, "multi_shot": False, "reference_video": FEATURE}, NEW, "multi_shot: False is not offered with a ref"),
        ({**OMNI, "prompt": "", "shots": SHOTS, "reference_video": FEATURE}, LEGACY, "shots: are given with a referen"),
        ({**OMNI, "first_frame": A, "reference_video": BASE}, NEW, "first_frame: is given with a reference_video of u"),
        ({**OMNI, "reference_images": PICTURES}, NEW, "reference_images: has 8 entries (legal: at most 7, with frames"),
        ({**OMNI, "reference_images": PICTURES}, LEGACY, "reference_images: has 8 entries (legal: at most 7, with fra"),
        ({**OMNI, "reference_images": PICTURES[:5], "reference_video": FEATURE}, NEW, "reference_images: has 5 entrie"),
        ({**OMNI, "reference_images": PICTURES[:5], "reference_video": FEATURE}, LEGACY, "reference_images: has 5 ent"),
        ({**OMNI, "reference_images": PICTURES[:5], "elements": [ACTOR]}, NEW, "reference_images: has 5 entries (lega"),
        ({**OMNI, "elements": ACTORS}, NEW, "elements: has 4 entries (legal: at most 3 made of videos)"),
        ({**OMNI, "elements": ACTORS[:2], "reference_video": FEATURE}, NEW, "elements: an element made of a video is"),
        ({**OMNI, "elements": [ACTOR], "reference_video": FEATURE}, LEGACY, "elements: one is made of a video (legal:"),
        (
            {**OMNI, "first_frame": A, "elements": [{**HERO, "id": str(n)} for n in range(4)]},
            NEW,
            "elements: has 4 entries (legal: at most 3 with a first_frame)",
        ),
        ({**OMNI, "reference_images": [PICTURES[0]], "elements": [{**HERO, "id": "p0"}]}, NEW, "id: 'p0' is given 2 t"),
        ({**O1, "elements": [ACTOR]}, NEW, "elements: one is made of a video (legal: none made of a video with kling-"),
        ({**O1, "first_frame": A, "last_frame": B, "elements": [HERO]}, NEW, "last_frame: is given with reference_ima"),
        ({**O1, "first_frame": A, "last_frame": B, "reference_video": FEATURE}, NEW, "last_frame: is given with a ref"),
        ({**O1, "duration": 7}, NEW, "duration: 7 is not offered (legal: 5 or 10 without references)"),
        ({**O1, "multi_shot": True}, NEW, "multi_shot: is not known to kling-o1 (legal: left out)"),
        ({**O1, "audio": "native"}, NEW, "audio: 'native' is not offered (legal: off, original)"),
        ({**MOTION, "resolution": "4k"}, NEW, "resolution: '4k' is not offered (legal: 720p, 1080p)"),
        ({**MOTION, "prompt": "x" * 2501}, NEW, "prompt: has 2501 characters (legal: at most 2500 characters)"),
        ({**MOTION, "model": "kling-2.6", "element": HERO}, NEW, "element: is not known to kling-2.6 (legal: none)"),
        ({**MOTION, "orientation": "image", "element": HERO}, NEW, "orientation: 'image' is not offered (legal: video"),
        ({**AVATAR, "audio_id": "a"}, LEGACY, "audio_id or sound: none is given, or more than one (legal: exactly one"),
        ({**AVATAR, "resolution": "4k"}, LEGACY, "resolution: '4k' is not offered (legal: 720p, 1080p)"),
        ({**AVATAR, "prompt": "x" * 2501}, LEGACY, "prompt: has 2501 characters (legal: at most 2500 characters)"),
        ({**LIPS, "session_id": None}, LEGACY, "video or video_id or session_id: none is given, or more than one (leg"),
        ({**LIPS, "face_id": None}, LEGACY, "face_id: is missing (legal: needed with a session_id)"),
        ({**LIPS, "audio_id": "a"}, LEGACY, "audio_id or sound: none is given, or more than one (legal: exactly one o"),
        ({**LIPS, "sound_end_ms": 1999}, LEGACY, "sound_end_ms: 1999 is too early (legal: at least 2000 ms after soun"),
        ({**LIPS, "insert_at_ms": -1}, LEGACY, "sound_start_ms: this or insert_at_ms is below 0 (legal: 0 or more)"),
        ({**LIPS, "sound_volume": 2.5}, LEGACY, "sound_volume: 2.5 is not offered (legal: 0 to 2)"),
        ({**LIPS, "original_volume": -1}, LEGACY, "original_volume: -1.0 is not offered (legal: 0 to 2)"),
        ({**SPOKEN, "video_id": "1"}, LEGACY, "video or video_id: none is given, or more than one (legal: exactly one"),
        ({**SPOKEN, "text": "x" * 121}, LEGACY, "text: has 121 characters (legal: at most 120 characters)"),
        ({**EFFECT, "scene": "pet_skatebord"}, LEGACY, "scene: there is no scene 'pet_skatebord' (legal: pet_skateboa"),
        ({**EFFECT, "scene": "tiger_hug"}, LEGACY, "scene: Kling discontinued 'tiger_hug' on 2026-01-30 (legal: anoth"),
        ({**EFFECT, "images": [A]}, LEGACY, "images: has 1 entry (legal: 2 for the scene pet_skateboard)"),
        ({**EDIT, "images": [A]}, LEGACY, "images: has 1 entry (legal: 0 for removal)"),
        ({**EDIT, "edit": "addition"}, LEGACY, "images: has 0 entries (legal: 1 to 2 for addition)"),
        ({**EDIT, "duration": 7}, LEGACY, "duration: 7 is not offered (legal: 5 or 10 seconds)"),
        ({**EDIT, "resolution": "4k"}, LEGACY, "resolution: '4k' is not offered (legal: 720p, 1080p)"),
        ({**EDIT, "negative_prompt": "x" * 2501}, LEGACY, "negative_prompt: has 2501 characters (legal: at most 2500"),
    ],
)
def test_each_rule_alone_names_the_value_and_what_is_legal(params, family, words):
    (found,) = faults(params, family)
    assert words in str(found)
    with pytest.raises(InvalidRequestError):
        check_request(parse_request(params), family)


@pytest.mark.parametrize(
    ("params", "family"),
    [
        ({**O1, "audio": "original", "reference_video": FEATURE}, NEW),
        ({**OMNI, "audio": "original", "reference_video": FEATURE}, LEGACY),
        ({**OMNI, "multi_shot": True, "reference_video": FEATURE}, LEGACY),
        ({**OMNI, "elements": [ACTOR], "reference_video": FEATURE}, NEW),
        ({**OMNI, "elements": ACTORS[:3], "reference_images": PICTURES[:4]}, NEW),
        ({**O1, "first_frame": A, "last_frame": B, "duration": 7}, NEW),
        ({**LIPS, "session_id": None, "face_id": None, "video": CLIP}, LEGACY),
        ({**EFFECT, "scene": "magic_match_tree", "images": [A]}, LEGACY),
    ],
)
def test_what_the_document_allows_is_allowed(params, family):
    assert faults(params, family) == []


NESTED = [
    ({**OMNI, "reference_images": [{"url": A, "typo": 1}]}, "reference_images.0.typo"),
    ({**OMNI, "elements": [{**HERO, "typo": 1}]}, "elements.0.typo"),
    ({**OMNI, "reference_video": {**BASE, "typo": 1}}, "reference_video.typo"),
    ({**OMNI, "shots": [{**SHOTS[0], "typo": 1}]}, "shots.0.typo"),
    ({**PICTURE, "voices": [{**VOICE, "typo": 1}]}, "voices.0.typo"),
    ({**MOTION, "element": {**HERO, "typo": 1}}, "element.typo"),
]


@pytest.mark.parametrize(("params", "name"), [*NESTED, *(({**one, "typo": 1}, "typo") for one in MINIMAL)])
def test_an_unknown_field_is_refused_at_every_depth(params, name):
    with pytest.raises(InvalidRequestError, match=f"{name}: `typo` is not a field"):
        parse_request(params)


@pytest.mark.parametrize(
    ("params", "units"),
    [
        (OMNI, "3"),
        ({**OMNI, "audio": "native", "resolution": "1080p"}, "5"),
        ({**OMNI, "reference_video": FEATURE}, "4.5"),
        ({**O1, "reference_video": FEATURE, "resolution": "1080p"}, "6"),
        ({**PICTURE, "model": "kling-2.6", "resolution": "1080p", "audio": "native", "voices": [VOICE]}, "6"),
    ],
)
def test_a_price_follows_model_sound_and_references(params, units):
    assert quote(parse_request(params), NEW).units == Decimal(units)


@pytest.mark.parametrize("params", [{**OMNI, "reference_video": BASE}, MOTION, AVATAR, LIPS, SPOKEN, EFFECT, EDIT])
def test_no_price_where_only_the_vendor_knows_the_length(params):
    request = parse_request(params)
    assert quote(request, NEW if NEW in PRODUCTS[request.kind].routes else LEGACY).units is None


class TestLipSyncPreparation:
    def prepare(self, **params):
        return PRODUCTS["lip_sync"].preparation(parse_request({**LIPS, "session_id": None, "face_id": None, **params}))

    def test_faces_are_looked_for_once_and_it_counts_as_an_order(self):
        look = self.prepare(video=CLIP)
        assert (look.path, look.json, look.is_create) == ("/v1/videos/identify-face", {"video_url": CLIP}, True)
        assert self.prepare(video_id="7").json == {"video_id": "7"}

    def test_the_first_face_is_taken(self):
        data = {"session_id": "s", "face_data": [{"face_id": "1"}, {"face_id": "2"}]}
        assert self.prepare(video=CLIP).parse(data) == {"session_id": "s", "face_id": "1"}

    def test_a_video_without_a_face_is_told_and_the_look_is_paid(self):
        with pytest.raises(InvalidRequestError, match="video: no face was found in it") as caught:
            self.prepare(video=CLIP).parse({"session_id": "s", "face_data": []})
        assert caught.value.money is Money.BILLED

    def test_a_known_face_needs_no_look(self):
        assert self.prepare(session_id="s", face_id="f") is None


@given(
    st.sampled_from(MINIMAL),
    st.dictionaries(
        st.sampled_from(sorted({name for one in PRODUCTS.values() for name in one.request.model_fields} - {"kind"})),
        st.none() | st.text(max_size=9) | st.integers() | st.floats() | st.lists(st.sampled_from([HERO, VOICE, A])),
        max_size=3,
    ),
)
def test_anything_is_a_request_or_a_clear_error(minimal, odd):
    with contextlib.suppress(InvalidRequestError):
        request = parse_request({**minimal, **odd})
        for family in PRODUCTS[request.kind].routes:
            with contextlib.suppress(InvalidRequestError):
                check_request(request, family)
                assert create(request, family, "job-1").json


# What each path knows (kling-api sections 6.1 to 6.3 and 7.2); Kling ignores anything else silently.
OPTION_KEYS = {"external_task_id", "callback_url", "watermark_info"}
OMNI_LEGACY = {"model_name", "mode", "prompt", "multi_shot", "shot_type", "multi_prompt", "image_list", "element_list"}
OMNI_LEGACY |= {"video_list", "sound", "aspect_ratio", "duration"}
MOTION_LEGACY = {"model_name", "image_url", "video_url", "character_orientation", "mode", "keep_original_sound"}
MOTION_LEGACY |= {"element_list", "prompt"}
KNOWN = {
    "/omni-video/kling-3.0-omni": {"resolution", "aspect_ratio", "duration", "audio", "multi_shot"},
    "/omni-video/kling-o1": {"resolution", "aspect_ratio", "duration", "audio"},
    "/motion-control/kling-3.0": {"character_orientation", "audio", "resolution"},
    "/motion-control/kling-2.6": {"character_orientation", "audio", "resolution"},
    "/v1/videos/omni-video": OMNI_LEGACY | OPTION_KEYS,
    "/v1/videos/motion-control": MOTION_LEGACY | OPTION_KEYS,
}


@pytest.mark.parametrize("family", [NEW, LEGACY])
@pytest.mark.parametrize("model", ["kling-3.0-omni", "kling-o1", "kling-3.0", "kling-2.6"])
@pytest.mark.parametrize("use", ["base", "feature", None])
@pytest.mark.parametrize("audio", ["default", "original", "off"])
def test_nothing_is_sent_that_the_path_would_ignore(family, model, use, audio):
    is_omni = model in ("kling-3.0-omni", "kling-o1")
    references = {"reference_video": {"url": CLIP, "use": use} if use else None, "elements": [HERO], "audio": audio}
    audio_of_motion = "original" if audio == "default" else audio
    params = {**OMNI, **references} if is_omni else {**MOTION, "audio": audio_of_motion, "prompt": "dances"}
    request = parse_request({**params, "model": model, "watermark": True, "callback_url": "https://e.org/cb"})
    sent = create(request, family, "job-1")
    keys = set(sent.json) if family is LEGACY else set(sent.json["settings"])
    assert keys <= KNOWN[sent.path]
    assert family is LEGACY or set(sent.json["options"]) == OPTION_KEYS


@pytest.mark.parametrize("handles", [["p", "p1"], ["p1", "p"]])
def test_a_handle_that_begins_like_another_is_not_taken_for_it(handles):
    prompt = with_placeholders("@p1 beside @p", {"image": handles})
    number = {handle: index for index, handle in enumerate(handles, start=1)}
    assert prompt == f"<<<image_{number['p1']}>>> beside <<<image_{number['p']}>>>"
