"""Validates omni-video requests of both generations (kling-api sections 6.2, 6.3 and 7.2)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from airflow_provider_klingvideo.sandbox.account.answers import invalid
from airflow_provider_klingvideo.sandbox.account.catalog import (
    ASPECT_RATIOS,
    LEGACY_PROMPT_LIMIT,
    MODE_RESOLUTIONS,
    Generation,
    Product,
    Sound,
)
from airflow_provider_klingvideo.sandbox.account.fields import Fields
from airflow_provider_klingvideo.sandbox.account.limits import LEGACY_IMAGE
from airflow_provider_klingvideo.sandbox.account.orders import (
    Input,
    Order,
    clip,
    legacy_options,
    new_options,
    read_address,
    read_input,
)
from airflow_provider_klingvideo.sandbox.account.tasks import Follow
from airflow_provider_klingvideo.sandbox.rules.contents import Contents
from airflow_provider_klingvideo.sandbox.rules.legacy_fields import legacy_elements, legacy_model
from airflow_provider_klingvideo.sandbox.rules.omni_rules import (
    OMNI_3,
    OMNI_O1,
    OmniModel,
    References,
    VideoUse,
    check_counts,
    check_frames,
    check_length,
    check_sum,
)
from airflow_provider_klingvideo.sandbox.rules.readers import Reader, RequestContext
from airflow_provider_klingvideo.sandbox.rules.shots import check_shots, legacy_shot_type, legacy_shots

_PATH = "/v1/videos/omni-video"
_ANY = 99  # how many there may be is a matter of the sum
_CONTENT_LIMITS = {
    "prompt": 1,
    "first_frame": 1,
    "last_frame": 1,
    "refer_image": _ANY,
    "feature_video": 1,
    "base_video": 1,
    "element": _ANY,
    # Kling lets the types of motion control pass and ignores them.
    "image": _ANY,
    "video": _ANY,
}
_AUDIO_WORDS = {"native": Sound.NATIVE, "original": Sound.ORIGINAL, "off": Sound.SILENT}
_FRAME_ROLES = {"first_frame": "first_frame", "end_frame": "last_frame", "": "refer_image"}


@dataclass(frozen=True)
class _Offer:
    """An omni model under one name of one generation."""

    model: OmniModel
    prompt_limit: int
    audio: tuple[Sound, ...]


_NEW_3 = _Offer(OMNI_3, 3072, (Sound.NATIVE, Sound.ORIGINAL, Sound.SILENT))
_NEW = {
    "kling-3.0-omni": _NEW_3,
    "kling-v3-omni": _NEW_3,  # the name of the legacy generation is accepted in the path (kling-api section 6.2)
    "kling-o1": _Offer(OMNI_O1, 2500, (Sound.ORIGINAL, Sound.SILENT)),
}
_LEGACY = {"kling-video-o1": OMNI_O1, "kling-v3-omni": OMNI_3}


@dataclass(frozen=True)
class _Choice:
    """How the clip is to be.

    :param shape: aspect ratio, empty where none was named.
    """

    resolution: str
    seconds: int
    sound: Sound
    shape: str


def _order(model: OmniModel, use: VideoUse | None, inputs: tuple[Input, ...], choice: _Choice) -> dict[str, Any]:
    """Price and results, as arguments of :class:`Order`; an edit is as long as what it edits."""
    family, edit = model.family(use), use is VideoUse.BASE
    seconds = min(family.durations) if edit else choice.seconds
    roles = {item.role for item in inputs}
    deciding = ("first_frame", "base_video") if choice.shape else ("first_frame", "base_video", "feature_video")
    shaping = next((role for role in deciding if role in roles), "")
    return {
        "units": family.units(choice.sound, choice.resolution, seconds),
        "results": (clip("" if shaping else choice.shape, choice.resolution, seconds, choice.sound),),
        "inputs": inputs,
        "follow": Follow(
            shape=shaping,
            length="base_video",
            unit_price=family.units(choice.sound, choice.resolution, 1),
        ),
        "resolution": choice.resolution,
        "seconds": seconds,
        "sound": choice.sound,
    }


def _read_new(name: str, fields: Fields, context: RequestContext) -> Order:
    offer = _NEW[name]
    contents = Contents(fields, _CONTENT_LIMITS)
    prompt = contents.prompt(offer.prompt_limit)
    uses = [use for use in VideoUse if contents.of(f"{use}_video")]
    if len(uses) > 1:
        raise invalid("at most one reference video is allowed")
    references = References(
        first=bool(contents.of("first_frame")),
        last=bool(contents.of("last_frame")),
        pictures=len(contents.of("refer_image")),
        elements=contents.elements(context.library),
        use=uses[0] if uses else None,
    )
    videos = tuple(item for use in uses for item in contents.videos(f"{use}_video", offer.model.video))
    inputs = contents.images("first_frame", "last_frame", "refer_image") + videos
    check_frames(offer.model, references)
    check_counts(offer.model, references)
    choice = _new_choice(offer, fields.object("settings"), references, prompt)
    return Order(
        generation=Generation.NEW,
        product=Product.OMNI_VIDEO,
        path=context.path,
        model=name,
        prompt=prompt,
        **_order(offer.model, references.use, inputs, choice),
        **new_options(fields),
    )


def _new_choice(offer: _Offer, settings: Fields, references: References, prompt: str) -> _Choice:
    family = offer.model.family(references.use)
    shape = settings.choice("aspect_ratio", ASPECT_RATIOS, "")
    if not (shape or references.first or references.use):
        raise invalid("settings.aspect_ratio is required without a first frame and a reference video")
    word = settings.choice("audio", _AUDIO_WORDS, "off")
    sound = _AUDIO_WORDS[word]
    if sound not in offer.audio:
        raise invalid(f"audio mode '{word}' is not supported by the current model")
    seconds = settings.integer("duration", family.durations, 5)
    check_length(offer.model, references, seconds)
    if family.multi_shot:
        multi_shot = settings.flag("multi_shot", True)
        _check_video_use(references.use, multi_shot, sound)
        if multi_shot:
            check_shots(prompt, seconds)
    return _Choice(settings.choice("resolution", family.resolutions, "720p"), seconds, sound, shape)


def _check_video_use(use: VideoUse | None, multi_shot: bool, sound: Sound) -> None:
    if use is VideoUse.FEATURE and not multi_shot:
        raise invalid("settings.multi_shot must be true when a feature_video is given")
    if use is VideoUse.FEATURE and sound is not Sound.SILENT:
        raise invalid("settings.audio must be 'off' when a feature_video is given")
    if use is VideoUse.BASE and multi_shot:
        raise invalid("settings.multi_shot must be false when a base_video is given")
    if use is VideoUse.BASE and sound is Sound.NATIVE:
        raise invalid("settings.audio must not be 'native' when a base_video is given")


def _read_legacy(fields: Fields, context: RequestContext) -> Order:
    name = legacy_model(fields, _LEGACY, "kling-video-o1")
    model = _LEGACY[name]
    images = _legacy_images(fields)
    roles = [image.role for image in images]
    use, videos = _legacy_video(fields, model)
    references = References(
        first="first_frame" in roles,
        last="last_frame" in roles,
        pictures=roles.count("refer_image"),
        elements=legacy_elements(fields, _ANY, context.library),
        use=use,
    )
    check_frames(model, references)
    check_sum(references)
    if use and references.characters:
        raise invalid("video character elements are not supported with video_list")
    choice = _legacy_choice(fields, model, references)
    return Order(
        generation=Generation.LEGACY,
        product=Product.OMNI_VIDEO,
        path=context.path,
        model=name,
        prompt=_legacy_prompt(fields, model, references, choice.seconds),
        **_order(model, use, images + videos, choice),
        **legacy_options(fields),
    )


def _legacy_images(fields: Fields) -> tuple[Input, ...]:
    images = []
    for item in fields.objects("image_list"):
        role = _FRAME_ROLES[item.choice("type", [word for word in _FRAME_ROLES if word], "")]
        url = item.text("image_url")
        if not url.strip():
            raise invalid("image_url is required")
        images.append(read_input(role, url, LEGACY_IMAGE))
    roles = [image.role for image in images]
    for word, role in _FRAME_ROLES.items():
        if word and roles.count(role) > 1:
            raise invalid(f"at most one {word} is allowed in image_list")
    return tuple(images)


def _legacy_video(fields: Fields, model: OmniModel) -> tuple[VideoUse | None, tuple[Input, ...]]:
    items = fields.objects("video_list")
    if len(items) > 1:
        raise invalid("video_list exceeds the limit of 1 of the current model")
    for item in items:
        use = VideoUse(item.choice("refer_type", list(VideoUse), VideoUse.BASE))
        return use, (read_address(f"{use}_video", item.text("video_url"), model.video),)
    return None, ()


def _legacy_choice(fields: Fields, model: OmniModel, references: References) -> _Choice:
    family = model.family(references.use)
    modes = [mode for mode, resolution in MODE_RESOLUTIONS.items() if resolution in family.resolutions]
    resolution = MODE_RESOLUTIONS[fields.choice("mode", modes, "pro")]
    shape = fields.choice("aspect_ratio", ASPECT_RATIOS, "")
    if not (shape or references.first or references.use is VideoUse.BASE):
        raise invalid("aspect_ratio is required without a first frame and a video to edit")
    seconds = fields.integer("duration", family.durations, 5, as_text=True)
    check_length(model, references, seconds)
    sound = Sound.NATIVE if fields.choice("sound", ("on", "off"), "off") == "on" else Sound.SILENT
    if not family.offers(sound, resolution):
        raise invalid("sound is not supported by the current model or with video_list")
    kept = [item.choice("keep_original_sound", ("yes", "no"), "no") == "yes" for item in fields.objects("video_list")]
    return _Choice(resolution, seconds, Sound.ORIGINAL if any(kept) else sound, shape)


def _legacy_prompt(fields: Fields, model: OmniModel, references: References, seconds: int) -> str:
    prompt = fields.text("prompt", LEGACY_PROMPT_LIMIT)
    if not fields.flag("multi_shot", False):
        if not (prompt.strip() or references.images or references.elements or references.use):
            raise invalid("prompt is required")
        return prompt
    if not model.plain.multi_shot:
        raise invalid("multi_shot is not supported by the current model")
    if references.use is VideoUse.BASE:
        raise invalid("multi_shot is not supported when a video is edited")
    if legacy_shot_type(fields) == "intelligence":
        return prompt
    if references.use:
        raise invalid("shot_type must be intelligence with a feature video")
    return legacy_shots(fields, seconds)


NEW_READERS: dict[str, Reader] = {f"/{Product.OMNI_VIDEO}/{name}": partial(_read_new, name) for name in _NEW}
LEGACY_READERS: dict[str, Reader] = {_PATH: _read_legacy}
