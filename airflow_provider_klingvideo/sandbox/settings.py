"""What can be chosen about a sandbox: credentials, slots, balance, timings, where its state lies."""

from __future__ import annotations

import base64
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

Region = Literal["singapore", "beijing"]


class Credentials(NamedTuple):
    """What a caller can present: an API key, or an access key with its secret key (kling-api section 2.2)."""

    api_key: str
    access_key: str
    secret_key: str


# A key of one region is an unknown token in the other one, so each has its own.
DEFAULT_CREDENTIALS: dict[Region, Credentials] = {
    "singapore": Credentials("sandbox-key", "sandbox-ak", "sandbox-secret-key-of-singapore-0001"),
    "beijing": Credentials("sandbox-key-beijing", "sandbox-ak-beijing", "sandbox-secret-key-of-beijing-000001"),
}


def _as_span(value: Any) -> Any:
    """Read ``8``, ``"8"``, ``"8-15"`` and ``[8, 15]`` alike."""
    if isinstance(value, str):
        return tuple(value.split("-")) if "-" in value else (value, value)
    if isinstance(value, int | float):
        return value, value
    return value


def _webhook_secret(value: str) -> str:
    key = value.removeprefix("whsec_")
    if key == value or not base64.b64decode(key, validate=True):
        raise ValueError("a webhook secret is whsec_ and a key in Base64")
    return value


Seconds = Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)]
Span = Annotated[tuple[Seconds, Seconds], BeforeValidator(_as_span)]
Slots = Annotated[int, Field(ge=0)]
Units = Annotated[Decimal, Field(ge=0, le=Decimal(10) ** 9)]


class SandboxSettings(BaseModel):
    """Everything about a sandbox that is fixed when it starts; :class:`SettingsChange` names what can change later.

    :param region: the region whose credentials are valid.
    :param api_key: API key; the region's documented default when not given.
    :param access_key: access key for signed tokens; likewise.
    :param secret_key: secret key, at least 32 bytes, also signs the result URLs; likewise.
    :param account_name: shown on the page and in the name of the resource pack.
    :param slots: video tasks that may be between submission and their end at the same time.
    :param balance: units in the video resource pack; what succeeded tasks of a kept state cost is taken off.
    :param payment: what pays: ``units`` of the packs, ``cash`` for an account that pays afterwards, or ``mixed``: the
        pack as far as it reaches, then money.
    :param credit: money that such an account may owe.
    :param discount: the share of the list price that it does not pay.
    :param queue_seconds: how long a task stays ``submitted``: a number, or a range as ``"1-3"`` or ``(1, 3)``.
    :param generation_seconds: how long it stays ``processing``, in the same forms.
    :param seed: of the jitter inside the ranges.
    :param state: SQLite file in which accepted tasks survive a restart; in memory when not given.
    :param webhook_secret: ``whsec_`` and base64; callbacks are signed with it.
    :param media_ttl_seconds: how long a result URL is valid after the end of its task (30 days at Kling).
    :param ffmpeg: path of the ffmpeg to use, otherwise the one on PATH or of ``imageio-ffmpeg``.
    :param max_render_height: pixels; results are drawn no higher than this, to save time in tests.
    :param fetch_timeout: seconds for one input image and for one callback.
    :param limit_costs: whether a second look at the resource packs within a second is refused with 1302.
    :param image_slots: the same as ``slots`` for pictures; a task takes as many as it makes pictures.
    :param image_balance: the same as ``balance`` for pictures.
    :param try_on_slots: the same for virtual try-on.
    :param try_on_balance: likewise.
    :param element_ids: elements made of images that the account knows.
    :param character_element_ids: elements made of a video that the account knows.
    :param voice_ids: voices that the account knows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    region: Region = "singapore"
    api_key: str = ""
    access_key: str = ""
    secret_key: str = Field(default="", repr=False)
    account_name: str = "SANDBOX"
    slots: Slots = 5
    balance: Units = Decimal(10_000)
    payment: Literal["units", "cash", "mixed"] = "units"
    credit: Units = Decimal(10_000)
    discount: Annotated[Decimal, Field(ge=0, lt=1)] = Decimal(0)
    queue_seconds: Span = (1.0, 1.0)
    generation_seconds: Span = (8.0, 15.0)
    seed: int = 0
    state: Path | None = None
    webhook_secret: Annotated[str, AfterValidator(_webhook_secret)] | None = Field(default=None, repr=False)
    media_ttl_seconds: Annotated[float, Field(gt=0)] = 30 * 86_400.0
    ffmpeg: Path | None = None
    max_render_height: Annotated[int, Field(ge=64)] | None = None
    fetch_timeout: Annotated[float, Field(gt=0)] = 10.0
    limit_costs: bool = False
    image_slots: Slots = 9
    image_balance: Units = Decimal(10_000)
    try_on_slots: Slots = 5
    try_on_balance: Units = Decimal(10_000)
    element_ids: frozenset[str] = frozenset({"829836802793406551"})
    character_element_ids: frozenset[str] = frozenset({"829836802793406552"})
    voice_ids: frozenset[str] = frozenset({"sandbox-voice"})

    @model_validator(mode="before")
    @classmethod
    def _default_credentials(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        defaults = DEFAULT_CREDENTIALS.get(values.get("region", "singapore"))
        if defaults is None:
            return values
        return values | {name: values.get(name) or default for name, default in defaults._asdict().items()}


class SettingsChange(BaseModel):
    """What can be changed while a sandbox runs; what is not given stays.

    :param balance: units that are left from now on.
    """

    model_config = ConfigDict(extra="forbid")

    slots: Slots | None = None
    balance: Units | None = None
    image_slots: Slots | None = None
    image_balance: Units | None = None
    try_on_slots: Slots | None = None
    try_on_balance: Units | None = None
    queue_seconds: Span | None = None
    generation_seconds: Span | None = None
