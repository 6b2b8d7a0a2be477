"""What a user can ask for, in one vocabulary for both API generations.

Unknown fields are refused: the vendor ignores them silently and bills (kling-api section 1).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from airflow_provider_klingvideo.kling.capabilities import registry
from airflow_provider_klingvideo.kling.errors import InvalidRequestError
from airflow_provider_klingvideo.kling.urls import without_queries

TEXT_TO_VIDEO = "text_to_video"
IMAGE_TO_VIDEO = "image_to_video"
DEFAULT_MODEL = "kling-3.0-turbo"
LONGEST_VALUE_SHOWN = 60


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be blank")
    return text


def _without_data_prefix(value: Any) -> Any:
    """Strip ``data:image/png;base64,``, which the vendor refuses (kling-api section 7.1)."""
    if isinstance(value, str) and value[:5].lower() == "data:":
        return value.partition(",")[2]
    return value


Picture = Annotated[str, BeforeValidator(_without_data_prefix), Field(min_length=1)]


class _VideoRequest(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    model: Annotated[str, AfterValidator(lambda name: registry().resolve(name))] = DEFAULT_MODEL
    negative_prompt: str | None = None
    resolution: str = "720p"
    duration: int = 5
    audio: Literal["default", "native", "off"] = "default"
    multi_shot: bool | None = None
    cfg_scale: float | None = Field(default=None, ge=0, le=1)
    watermark: bool = False
    callback_url: str | None = None


class TextToVideoRequest(_VideoRequest):
    """A video from text (kling-api sections 6.2 and 7.2).

    :param prompt: what the video shows.
    :param model: the model, by the name of either generation.
    :param negative_prompt: what it must not show; legacy generation only.
    :param resolution: ``720p``, ``1080p`` or ``4k``.
    :param aspect_ratio: ``16:9``, ``9:16`` or ``1:1``.
    :param duration: seconds.
    :param audio: ``native`` for sound, ``off`` for none, ``default``: none where the model leaves the choice.
    :param multi_shot: several shots, as the vendor sees fit or as a multi-shot prompt says; None: the vendor's default.
    :param cfg_scale: how closely to follow the prompt, 0 to 1; legacy generation only.
    :param watermark: deliver a video with the vendor's watermark, too.
    :param callback_url: where the vendor reports changes of status.
    """

    kind: Literal["text_to_video"] = "text_to_video"
    prompt: Annotated[str, AfterValidator(_not_blank)]
    aspect_ratio: str = "16:9"


class ImageToVideoRequest(_VideoRequest):
    """A video that starts with a picture; its shape decides the video's. Other parameters as for text.

    :param first_frame: http(s) URL, or raw base64 of a JPG or PNG.
    :param last_frame: the picture that it ends with.
    :param prompt: what happens.
    """

    kind: Literal["image_to_video"] = "image_to_video"
    prompt: str = ""
    first_frame: Picture = Field(repr=False)
    last_frame: Picture | None = Field(default=None, repr=False)


GenerationRequest = TextToVideoRequest | ImageToVideoRequest

_ADAPTER: TypeAdapter[GenerationRequest] = TypeAdapter(Annotated[GenerationRequest, Field(discriminator="kind")])


def parse_request(params: Mapping[str, Any]) -> GenerationRequest:
    """Read a request; without ``kind`` a first frame makes it one from a picture.

    :param params: the fields of one of the request models; numbers may be text.
    :raises InvalidRequestError: naming every field at fault.
    """
    kind = params.get("kind") or (IMAGE_TO_VIDEO if params.get("first_frame") else TEXT_TO_VIDEO)
    try:
        return _ADAPTER.validate_python({**params, "kind": kind})
    except ValidationError as error:
        faults = "; ".join(_fault(dict(one)) for one in error.errors(include_url=False))
        raise InvalidRequestError(f"The request is not legal: {faults}") from None


def _fault(error: dict[str, Any]) -> str:
    """Say what is wrong with a field in the words of a person; a long value (a picture) is not shown."""
    name = ".".join(str(part) for part in error["loc"] if part not in (TEXT_TO_VIDEO, IMAGE_TO_VIDEO)) or "kind"
    if error["type"] == "extra_forbidden":
        return f"{name} is not a field of this request"
    if error["type"] == "missing":
        return f"{name} is missing"
    shown = without_queries(repr(error.get("input")))
    value = shown if len(shown) <= LONGEST_VALUE_SHOWN else f"{shown[:LONGEST_VALUE_SHOWN]}..."
    message = error["msg"].removeprefix("Value error, ")
    return f"{name} {message} (it is {value})"
