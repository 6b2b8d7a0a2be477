"""What every product has: a typed request, rules, a price, and a route for each API family that offers it.

Unknown fields are refused: Kling ignores them silently and bills (kling-api section 1).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator

from airflow_provider_klingvideo._text import trimmed
from airflow_provider_klingvideo.errors import Fault, quoted
from airflow_provider_klingvideo.kling.catalogue.capabilities import ApiFamily, Capability, registry
from airflow_provider_klingvideo.kling.catalogue.price_book import Line
from airflow_provider_klingvideo.kling.products.reading import (
    Meaning,
    MediaKind,
    OneOf,
    Sort,
    meaning_of,
)
from airflow_provider_klingvideo.kling.wire.operation import Operation
from airflow_provider_klingvideo.validation import NotLegal

LONGEST_VALUE_SHOWN = 60
_CALLBACK = re.compile(r"https?://[^\s/?#]", re.IGNORECASE)


def _not_blank(text: str) -> str:
    if not trimmed(text):
        raise NotLegal(f"{quoted(text)} is blank", "a text that says something")
    return text


def _whole_number_as_text(value: Any) -> Any:
    """Take an id that JSON, a table or a native template made a number: a whole one loses no digit."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _without_data_prefix(value: Any) -> Any:
    """Strip ``data:image/png;base64,``, which Kling refuses (kling-api section 7.1)."""
    if isinstance(value, str) and value[:5].lower() == "data:":
        return value.partition(",")[2]
    return value


Text = Annotated[str, BeforeValidator(_whole_number_as_text), AfterValidator(_not_blank)]
"""A text that says something."""


Picture = Annotated[
    str,
    MediaKind.PICTURE,
    BeforeValidator(_without_data_prefix),
    Field(min_length=1, description="an http(s) URL or the path of a picture"),
]
"""http(s) URL, or raw base64 of a JPG or PNG; in a job also a path of one."""

Sound = Annotated[
    str,
    MediaKind.SOUND,
    BeforeValidator(_without_data_prefix),
    Field(min_length=1, description="an http(s) URL or the path of a sound"),
]
"""http(s) URL, or raw base64 of a sound file; in a job also a path of one."""

Video = Annotated[str, MediaKind.VIDEO, Field(min_length=1, description="an http(s) URL or the path of a job's video")]
"""http(s) URL of an mp4 or mov, since Kling takes videos by URL only; in a job also that of a job's file."""

Model = Annotated[
    str, OneOf(lambda: registry().names), Field(min_length=1), AfterValidator(lambda name: registry().resolve(name))
]
"""A model by the name of either family."""

Resolution = Annotated[str, OneOf(lambda: registry().values("resolutions"))]
"""A resolution; which ones a model has is left to the rules, as it is for"""

AspectRatio = Annotated[str, OneOf(lambda: registry().values("aspect_ratios"))]
"""a ratio of width to height, and"""

Scene = Annotated[str, OneOf(lambda: registry().effect_scenes)]
"""a scene of the effects."""


class Part(BaseModel):
    """A part of a request; what it holds of pictures and signed addresses is not shown."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    @cache
    def meanings(cls) -> Mapping[str, Meaning]:
        """Return what the fields hold."""
        return {name: meaning_of(name, field.annotation, field.metadata) for name, field in cls.model_fields.items()}

    @field_validator("*", mode="before")
    @classmethod
    def _as_meant(cls, value: Any, info: ValidationInfo) -> Any:
        """Read a text as its writer meant it; see :class:`Meaning`."""
        meaning = cls.meanings()[str(info.field_name)]
        try:
            if isinstance(value, bool) and meaning.sort is Sort.NUMBER:
                raise ValueError("is not a number")
            value = meaning.read(value) if isinstance(value, str) else value
        except ValueError as error:
            raise NotLegal(f"{quoted(value)} {error}") from error
        if info.field_name == "callback_url" and isinstance(value, str) and not _CALLBACK.match(value):
            raise NotLegal(f"{quoted(value)} is no web address", "https://HOST/PATH")
        return value

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Show the fields without what lies at addresses, or is as long as a picture."""
        for name, value in super().__repr_args__():
            is_content = isinstance(value, str) and (len(value) > LONGEST_VALUE_SHOWN or "://" in value)
            yield name, "..." if is_content else value


class GenerationRequest(Part):
    """A request for one product.

    :param kind: the product.
    :param callback_url: where Kling reports changes of status.
    """

    kind: Any
    callback_url: str | None = None

    @property
    def model_name(self) -> str:
        """The model's name here; a product without models is its own."""
        return str(getattr(self, "model", self.kind))


class WatermarkedRequest(GenerationRequest):
    """A request for a product that can also be delivered with Kling's watermark.

    :param watermark: deliver it with Kling's watermark, too.
    """

    watermark: bool = False


R = TypeVar("R", bound=GenerationRequest)

Rule = Callable[[R, Capability], Iterator[Fault]]
"""Yields what a request may not do with what a model can, and what would be legal."""

Body = Callable[[R, "Capability | None", str], "dict[str, Any]"]
"""Makes the body of a create request; arguments: request, capability (None for an unknown model), external id."""


@dataclass(frozen=True)
class Route(Generic[R]):
    """How one API family takes a product.

    :param path: where tasks are created; on legacy paths also asked for and listed.
    :param body: makes the body. Only what the path knows is sent, and never a model left to Kling's default.
    :param is_model_in_path: whether the model's name follows the path.
    """

    path: str
    body: Body[R]
    is_model_in_path: bool = False


@dataclass(frozen=True)
class Product(Generic[R]):
    """A product that can be ordered.

    :param kind: its name, which a job's params carry.
    :param label: its name for people.
    :param request: model of the request.
    :param routes: by API family.
    :param rules: what is legal.
    :param line: what of the price list a request orders; None where that follows an input that only Kling sees, or
        where Kling publishes no price.
    :param least: what it orders at least, where ``line`` cannot say it.
    :param pack: whose units it draws on, and whose slots it takes: ``video``, ``image`` or ``try_on``.
    :param preparation: makes the call whose result, a mapping of fields, completes a request before it can be ordered;
        returns None when nothing is missing.
    """

    kind: str
    label: str
    request: type[R]
    routes: Mapping[ApiFamily, Route[R]]
    rules: tuple[Rule[R], ...]
    line: Callable[[R, Capability | None], Line | None] | None = None
    least: Callable[[R], Line] | None = None
    pack: str = "video"
    preparation: Callable[[R], Operation[Mapping[str, Any]] | None] | None = None


def vendor_name(request: GenerationRequest, can: Capability | None) -> str:
    """Return what Kling calls a request's model; an unknown one is sent under its own name."""
    return can.vendor_name if can else request.model_name


def without_nones(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a body without what was not given."""
    return {name: value for name, value in body.items() if value is not None}


def common_options(request: GenerationRequest, external_task_id: str) -> dict[str, Any]:
    """Return what every create request may carry: ``options`` of the new family, the top of a legacy body.

    Sources: kling-api sections 6.1 and 7.1.
    """
    watermark = isinstance(request, WatermarkedRequest) and request.watermark
    return without_nones(
        {
            "external_task_id": external_task_id,
            "callback_url": request.callback_url,
            "watermark_info": {"enabled": True} if watermark else None,
        }
    )
