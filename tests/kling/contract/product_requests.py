"""Legal requests for every product, and values that are tried in the place of theirs."""

from __future__ import annotations

from typing import Any

from airflow_provider_klingvideo.kling import ApiFamily

PICTURE = "http://127.0.0.1:9/a.png"
CLIP = "http://127.0.0.1:9/a.mp4"
SOUND = "http://127.0.0.1:9/a.mp3"
INLINE = "iVBORw0KGgo="
ELEMENT = {"element_id": "829836802793406551", "id": "hero"}
CHARACTER = {"element_id": "829836802793406552", "id": "anna", "from_video": True}
VOICE = {"voice_id": "sandbox-voice", "id": "narrator"}
SPEAKER = "oversea_male1"
SHOTS = [{"prompt": "a red fox", "seconds": 2}, {"prompt": "it runs", "seconds": 3}]

NEW, LEGACY, SOLUTIONS = ApiFamily.NEW, ApiFamily.LEGACY, ApiFamily.SOLUTIONS
BOTH = (NEW, LEGACY)

# What a session of the sandbox has to fill in.
SESSION, FACE, SELECTION, AUDIO, VIDEO = "<session>", "<face>", "<selection>", "<audio>", "<video>"


def _images(count: int, start: int = 0) -> list[dict[str, Any]]:
    return [{"url": PICTURE, "id": f"i{number:02}x"} for number in range(start, start + count)]


def _elements(count: int, **fields: Any) -> list[dict[str, Any]]:
    return [{**ELEMENT, "id": f"e{number:02}x", **fields} for number in range(count)]


def _characters(count: int) -> list[dict[str, Any]]:
    return [{**CHARACTER, "id": f"c{number:02}x"} for number in range(count)]


FRAMES = {"kind": "image_to_video", "prompt": "@hero runs", "first_frame": PICTURE}
OMNI = {"kind": "omni_video", "prompt": "a red fox", "aspect_ratio": "16:9"}
FEATURE, BASE = {"url": CLIP, "use": "feature", "id": "clip"}, {"url": CLIP, "use": "base"}
MOTION = {"kind": "motion_control", "image": PICTURE, "video": CLIP}
LIP_SYNC = {"kind": "lip_sync", "session_id": SESSION, "face_id": FACE, "sound_end_ms": 3000}
EDIT = {"kind": "multi_elements", "session_id": SELECTION, "prompt": "put <<<image_1>>> into <<<video_1>>>"}
AGENT = {"kind": "talking_agent", "script": "Hello", "avatar_id": "avatar_mia_female"}
GOODS = {"images": [PICTURE], "title": "A lamp"}

LEGAL: dict[str, tuple[tuple[ApiFamily, ...], dict[str, Any]]] = {
    "t2v shots": (BOTH, {"kind": "text_to_video", "model": "kling-3.0", "shots": SHOTS}),
    "t2v turbo shots": ((NEW,), {"kind": "text_to_video", "shots": SHOTS}),
    "t2v": (BOTH, {"kind": "text_to_video", "model": "kling-2.5-turbo", "prompt": "a red fox"}),
    "i2v elements": (BOTH, {**FRAMES, "model": "kling-3.0", "elements": [ELEMENT]}),
    "i2v shots": (BOTH, {**FRAMES, "model": "kling-3.0", "prompt": "", "shots": SHOTS, "last_frame": PICTURE}),
    "i2v voices": (
        BOTH,
        {**FRAMES, "model": "kling-2.6", "resolution": "1080p", "audio": "native", "voices": [VOICE]},
    ),
    "omni text": (BOTH, OMNI),
    "omni shots": (BOTH, {**OMNI, "prompt": "", "shots": SHOTS}),
    "omni frames": (BOTH, {**OMNI, "first_frame": PICTURE, "last_frame": PICTURE, "elements": _elements(1)}),
    "omni images": (BOTH, {**OMNI, "reference_images": _images(4), "elements": _elements(3)}),
    "omni characters": ((NEW,), {**OMNI, "reference_images": _images(2), "elements": _characters(3)}),
    "omni feature": (BOTH, {**OMNI, "reference_video": FEATURE, "reference_images": _images(4)}),
    "omni feature character": ((NEW,), {**OMNI, "reference_video": FEATURE, "elements": _characters(1)}),
    "omni base": (BOTH, {**OMNI, "reference_video": BASE, "audio": "original", "reference_images": _images(1)}),
    "o1 text": (BOTH, {**OMNI, "model": "kling-o1"}),
    "o1 frame": (BOTH, {**OMNI, "model": "kling-o1", "first_frame": PICTURE, "duration": 10}),
    "o1 frames": (BOTH, {**OMNI, "model": "kling-o1", "first_frame": PICTURE, "last_frame": PICTURE, "duration": 7}),
    "o1 images": (BOTH, {**OMNI, "model": "kling-o1", "reference_images": _images(5), "elements": _elements(2)}),
    "o1 feature": (BOTH, {**OMNI, "model": "kling-o1", "first_frame": PICTURE, "reference_video": FEATURE}),
    "o1 base": (BOTH, {**OMNI, "model": "kling-o1", "reference_video": BASE, "audio": "off"}),
    "motion": (BOTH, {**MOTION, "prompt": "@hero dances", "element": ELEMENT}),
    "motion 2.6": (BOTH, {**MOTION, "model": "kling-2.6", "orientation": "image", "resolution": "1080p"}),
    "avatar": ((LEGACY,), {"kind": "avatar", "image": PICTURE, "sound": SOUND, "prompt": "she smiles"}),
    "avatar of a speech": ((LEGACY,), {"kind": "avatar", "image": PICTURE, "audio_id": AUDIO, "resolution": "1080p"}),
    "lip sync": ((LEGACY,), {**LIP_SYNC, "sound": SOUND}),
    "lip sync of a speech": ((LEGACY,), {**LIP_SYNC, "audio_id": AUDIO, "sound_end_ms": 2000}),
    "lip sync of a text": (
        (LEGACY,),
        {"kind": "lip_sync_text", "video": CLIP, "text": "Hello", "voice_id": SPEAKER},
    ),
    "effect": ((LEGACY,), {"kind": "effect", "scene": "birthday_board", "images": [PICTURE]}),
    "effect of two": ((LEGACY,), {"kind": "effect", "scene": "hug_pro", "images": [PICTURE, PICTURE]}),
    "addition": ((LEGACY,), {**EDIT, "edit": "addition", "images": [PICTURE]}),
    "swap": ((LEGACY,), {**EDIT, "edit": "swap", "images": [PICTURE], "negative_prompt": "rain"}),
    "removal": ((LEGACY,), {**EDIT, "edit": "removal", "prompt": "take it out of <<<video_1>>>"}),
    "image": ((LEGACY,), {"kind": "image", "prompt": "a fox", "negative_prompt": "rain", "elements": [ELEMENT]}),
    "image of an image": (
        (LEGACY,),
        {
            "kind": "image",
            "model": "kling-v2-1",
            "prompt": "a fox",
            "image": PICTURE,
            "image_reference": "subject",
            "image_fidelity": 0.3,
            "human_fidelity": 0.4,
        },
    ),
    "omni image": (
        (LEGACY,),
        {"kind": "omni_image", "prompt": "@a fox", "images": [{"image": PICTURE, "id": "a"}], "elements": [ELEMENT]},
    ),
    "omni image series": ((LEGACY,), {"kind": "omni_image", "prompt": "a fox", "series": 4, "resolution": "4k"}),
    "omni image o1": (
        (LEGACY,),
        {"kind": "omni_image", "model": "kling-image-o1", "prompt": "a fox", "aspect_ratio": "auto"},
    ),
    "multi image": ((LEGACY,), {"kind": "multi_image", "subject_images": [PICTURE, PICTURE], "prompt": "a fox"}),
    "expansion": ((LEGACY,), {"kind": "image_expand", "image": PICTURE, "up": 0.5, "left": 0.5, "prompt": "sky"}),
    "multi shot": ((LEGACY,), {"kind": "image_multi_shot", "frontal_image": PICTURE}),
    "try on": ((SOLUTIONS,), {"kind": "virtual_try_on", "product_image": PICTURE, "person_image": PICTURE}),
    "kolors": ((LEGACY,), {"kind": "kolors_virtual_try_on", "human_image": PICTURE, "cloth_image": PICTURE}),
    "sound": ((LEGACY,), {"kind": "text_to_audio", "prompt": "rain"}),
    "sound for a video": ((LEGACY,), {"kind": "video_to_audio", "video": CLIP, "effects": "rain", "music": "piano"}),
    "voice": ((LEGACY,), {"kind": "custom_voice", "name": "Anna", "sample": SOUND}),
    "element": (
        (LEGACY,),
        {
            "kind": "custom_element",
            "name": "Fox",
            "description": "a red fox",
            "frontal_image": PICTURE,
            "reference_images": [PICTURE],
            "tags": ["animal"],
        },
    ),
    "element of a video": (
        (LEGACY,),
        {"kind": "custom_element", "name": "Anna", "description": "a woman", "video": CLIP},
    ),
    "goods": ((SOLUTIONS,), {"kind": "goods_studio", **GOODS, "description": "It shines"}),
    "clothing": (
        (SOLUTIONS,),
        {"kind": "clothing_dupe", "source_video": CLIP, "product_info": "A coat", "product_images": [PICTURE]},
    ),
    "agent": ((SOLUTIONS,), {**AGENT, "speech_rate": 1.2}),
    "agent of a picture": (
        (SOLUTIONS,),
        {"kind": "talking_agent", "script": "Hi", "avatar_image": PICTURE, "voice_id": "male_calm_informative"},
    ),
    "agent and goods": ((SOLUTIONS,), {**AGENT, **GOODS, "price": "5", "target_audience": ["all"]}),
    "subtitles": (
        (SOLUTIONS,),
        {"kind": "drama_subtitle", "source_video": CLIP, "glossary": [{"source": "\u72d0", "target": "fox"}]},
    ),
}
"""By name: the API families that take it, and the request."""


def _long(*lengths: int) -> list[str]:
    return ["\u00fc" * length for length in lengths]


VALUES: dict[str, list[Any]] = {
    "model": [
        *("kling-3.0-turbo", "kling-3.0", "kling-2.6", "kling-2.5-turbo", "kling-3.0-omni", "kling-o1"),
        *("kling-v2-1", "kling-image-o1", "kling-v1"),
    ],
    "prompt": ["", " ", *_long(1, 200, 201, 2500, 2501, 3072, 3073)],
    "negative_prompt": [None, *_long(2500, 2501)],
    "resolution": ["720p", "1080p", "4k", "1k", "2k", "480p"],
    "duration": [1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 15, 16, 30, 31, 60],
    "aspect_ratio": [None, "16:9", "9:16", "1:1", "4:3", "3:4", "3:2", "2:3", "21:9", "auto", "1:2"],
    "audio": ["default", "native", "original", "off"],
    "multi_shot": [None, True, False],
    "shots": [
        *([], SHOTS, SHOTS[:1], [{"prompt": "x", "seconds": 1}] * 5, [{"prompt": "x", "seconds": 1}] * 7),
        *([{"prompt": "\u00fc" * length, "seconds": 5}] for length in (512, 513)),
    ],
    "watermark": [True, False],
    "cfg_scale": [None, 0, 1],
    "first_frame": [None, PICTURE, INLINE],
    "last_frame": [None, PICTURE, INLINE],
    "elements": [
        *([], *(_elements(count) for count in (1, 3, 4, 7, 8, 10, 11)), [ELEMENT, ELEMENT]),
        *(_characters(count) for count in (1, 2, 3, 4)),
        [*_characters(1), *_elements(1)],
    ],
    "voices": [
        *([], [VOICE], [VOICE, {**VOICE, "id": "other"}], [VOICE, VOICE]),
        [{**VOICE, "id": handle} for handle in "abc"],
    ],
    "reference_images": [
        *([], *(_images(count) for count in (1, 2, 3, 4, 5, 7, 8)), [{"url": PICTURE}] * 2, _images(1) * 2),
        *([PICTURE] * count for count in (1, 3, 4)),
    ],
    "reference_video": [None, FEATURE, BASE],
    "image": [None, PICTURE, INLINE],
    "images": [[], *([PICTURE] * count for count in (1, 2, 3, 5, 6))]
    + [[{"image": PICTURE}] * count for count in (1, 9, 10, 11)],
    "element": [None, ELEMENT],
    "orientation": ["image", "video"],
    "sound": [None, SOUND],
    "audio_id": [None, AUDIO],
    "session_id": [None, SESSION],
    "face_id": [None, FACE],
    "sound_start_ms": [-1, 0, 1000, 1001],
    "sound_end_ms": [1999, 2000, 3000],
    "insert_at_ms": [-1, 0, 1000],
    "sound_volume": [-0.1, 0, 2, 2.1],
    "original_volume": [-0.1, 0, 2, 2.1],
    "text": _long(1, 120, 121),
    "voice_id": [None, SPEAKER],
    "speed": [0.7, 0.8, 2, 2.1],
    "language": ["zh", "en"],
    "scene": ["birthday_board", "hug_pro", "kiss", "no_such_scene", "celebration", "magic_match_tree"],
    "edit": ["addition", "swap", "removal"],
    "n": [0, 1, 9, 10],
    "image_reference": [None, "subject", "face"],
    "image_fidelity": [None, -0.1, 0, 1, 1.1],
    "human_fidelity": [None, -0.1, 0, 1, 1.1],
    "series": [None, 1, 2, 9, 10, "auto"],
    "subject_images": [[], *([PICTURE] * count for count in (1, 4, 5))],
    "scene_image": [None, PICTURE],
    "style_image": [None, PICTURE],
    **{side: [-0.1, 0, 0.4, 1, 2, 2.1] for side in ("up", "down", "left", "right")},
    "video": [None, CLIP],
    "video_id": [None, VIDEO],
    "sample": [None, SOUND],
    "effects": [None, *_long(200, 201)],
    "music": [None, True, False, SOUND, *_long(200, 201)],
    "asmr": [True, False],
    "name": _long(1, 20, 21),
    "description": [None, *_long(1, 100, 101, 2000, 2001)],
    "frontal_image": [None, PICTURE],
    "tags": [[], ["animal", "item"], ["planet"]],
    "title": [None, " ", *_long(200, 201, 500, 501)],
    "price": [None, *_long(256, 257)],
    "target_audience": [[], ["x"] * 20, ["x"] * 21, *([one] for one in _long(200, 201))],
    "selling_points": [[], ["x"] * 20, ["x"] * 21, *([one] for one in _long(500, 501))],
    "script": _long(1, 2000, 2001),
    "avatar_image": [None, PICTURE],
    "avatar_id": [None, "avatar_mia_female"],
    "speech_rate": [None, 0.8, 0.9, 1.0, 1.2],
    "action": [None, *_long(2500, 2501)],
    "allow_polish": [True, False],
    "product_info": _long(1, 2500, 2501),
    "product_images": [[], *([PICTURE] * count for count in (1, 5, 6))],
    "model_images": [[], *([PICTURE] * count for count in (5, 6))],
    "glossary": [[], *([{"source": "a", "target": "b"}] * count for count in (200, 201))]
    + [[{"source": one, "target": "b"}] for one in _long(100, 101)]
    + [[{"source": "a", "target": one}] for one in _long(100, 101)],
    "target_cps": [9, 10, 20, 21],
    "margin_v": [None, 0, 1, 4096, 4097],
    "font_size": [None, 0, 1, 512, 513],
    "product_image": [PICTURE, INLINE],
    "person_image": [PICTURE, INLINE],
    "human_image": [PICTURE, INLINE],
    "cloth_image": [PICTURE, INLINE],
    "variant": ["kolors-virtual-try-on-v1-5", "kolors-virtual-try-on-v2"],
    "keep_face": [True, False],
    "keep_pose": [True, False],
    "keep_background": [True, False],
    "source_video": [CLIP],
    "callback_url": [None, "http://127.0.0.1:9/callback"],
}
"""What is tried, by the name of the field, legal and illegal."""
