"""What to make of a video: a list of outputs, and what is checked on the way. Plain JSON, checked when it is read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, JsonValue, ValidationError, model_validator
from pydantic.fields import FieldInfo

from airflow_provider_klingvideo.errors import Fault, quoted
from airflow_provider_klingvideo.media.decor.decoration import Decoration
from airflow_provider_klingvideo.media.errors import PlanError
from airflow_provider_klingvideo.media.inspect.gates import Gates, PlanPart
from airflow_provider_klingvideo.media.outputs.geometry import ASPECTS
from airflow_provider_klingvideo.media.outputs.presets import (
    DEFAULT_OUTPUTS,
    ENCODER_PRESETS,
    PRESETS,
    SIDES,
    SUBTITLED,
    Preset,
)
from airflow_provider_klingvideo.validation import NotLegal, fault_of_json, faults_of, with_json_read


def _one_of(names: Collection[str]) -> tuple[AfterValidator, FieldInfo]:
    """What makes a field accept these names only, and tells forms about them."""
    known: list[JsonValue] = [*names]

    def check(value: str) -> str:
        if value not in known:
            raise NotLegal(f"{quoted(value)} is none of the choices", ", ".join(names))
        return value

    return AfterValidator(check), Field(json_schema_extra={"enum": known})


PresetName = Annotated[str, *_one_of(PRESETS)]
EncoderPreset = Annotated[str, *_one_of(ENCODER_PRESETS)]
Aspect = Annotated[str, *_one_of(ASPECTS)]
Side = Annotated[int, Field(ge=SIDES[0], le=SIDES[1], multiple_of=2)]
Seconds = Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)]
Name = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$",
        description="1 to 40 lower-case letters, digits, - and _, the first a letter or digit",
    ),
]

MAX_OUTPUTS = 24
# These lie beside the outputs: the download, what else Kling serves, and its record.
TAKEN = ("source", "source-watermark", "job")
# They neither change the content of a file nor are options of a preset.
_NAMING = frozenset({"preset", "name", "required"})


def _require_within(field: str, value: int | None, bounds: tuple[int, int], preset: str) -> None:
    if value is not None and not bounds[0] <= value <= bounds[1]:
        legal = f"{bounds[0]} to {bounds[1]} for the preset {preset}"
        raise NotLegal(f"`{field}` is {value}", legal)


class Trim(PlanPart):
    """A part of the source.

    :param start: seconds from its beginning.
    :param end: seconds from its beginning, None for its end; what lies behind the source's end is left out.
    """

    start: Seconds = 0
    end: Seconds | None = None

    @model_validator(mode="after")
    def _forwards(self) -> Self:
        if self.end is not None and self.end <= self.start:
            raise NotLegal(f"`end` is {self.end:g}", f"later than `start`, which is {self.start:g}")
        return self


class Output(Decoration):
    """One output: a preset, what is different from it, and what it carries, in its own times and sizes.

    :param preset: name of a preset.
    :param name: stem of its file name, ``[a-z0-9_-]``; default: the preset's name.
    :param required: whether a delivery without it fails; None: ``master`` is, all others are not.
    :param aspect: aspect ratio: 16:9, 9:16, 1:1, 4:5 or 3:4; None keeps the source's.
    :param fit: what becomes of another aspect ratio: ``crop`` cuts the edges, ``pad`` adds black ones, ``blur`` adds
        edges of the blurred picture; None: crop.
    :param width: pixels, even; alone it keeps the aspect ratio.
    :param height: pixels, even; alone it keeps the aspect ratio.
    :param fps: frames per second, 1 to 120; None keeps the source's, a GIF has 12 and a preview 10.
    :param trim: the part of the source that is used.
    :param speed: 0.5 to 2; sound keeps its pitch.
    :param crf: constant rate factor of the encoder, lower is better and larger; its bounds depend on the encoder.
    :param quality: of pictures, 1 to 100.
    :param encoder_preset: how much time the encoder may take: ultrafast, superfast, veryfast, faster, fast, medium or
        slow; None: veryfast.
    """

    model_config = ConfigDict(coerce_numbers_to_str=False)

    preset: PresetName
    name: Name | None = None
    required: bool | None = None
    aspect: Aspect | None = None
    fit: Literal["crop", "pad", "blur"] | None = None
    width: Side | None = None
    height: Side | None = None
    fps: Annotated[float, Field(ge=1, le=120, allow_inf_nan=False)] | None = None
    trim: Trim | None = None
    speed: Annotated[float, Field(ge=0.5, le=2, allow_inf_nan=False)] | None = None
    crf: Annotated[int, Field(ge=0, le=63)] | None = None
    quality: Annotated[int, Field(ge=1, le=100)] | None = None
    encoder_preset: EncoderPreset | None = None

    @model_validator(mode="before")
    @classmethod
    def _named(cls, data: Any) -> Any:
        """A preset's name alone stands for it without changes."""
        return {"preset": data} if isinstance(data, str) else data

    @model_validator(mode="after")
    def _suits_the_preset(self) -> Self:
        row = self.row
        if foreign := sorted(self.given - _NAMING - row.options):
            legal = ", ".join(sorted(row.options)) or "no options"
            raise NotLegal(f"`{foreign[0]}` does not apply to the preset {self.preset}", legal)
        for side in ("width", "height"):
            _require_within(side, getattr(self, side), row.sides, self.preset)
        if row.video:
            _require_within("crf", self.crf, row.video.crf_bounds, self.preset)
        if self.aspect and self.width and self.height:
            raise NotLegal("`aspect`, `width` and `height` are all given", "two of the three at most")
        if self.fit and not self.changes_aspect:
            raise NotLegal("`fit` is given alone", "with an `aspect`, or with `width` and `height`")
        if self.muxed_subtitles and row.muxer["format"] not in SUBTITLED:
            wrong = f"`subtitles` with the mode mux do not go into the preset {self.preset}"
            raise NotLegal(wrong, "the mode burn, or a preset that is an MP4")
        if self.stem in TAKEN:
            raise NotLegal(f"`name` is {self.stem}", f"any but {', '.join(TAKEN)}")
        return self

    @property
    def row(self) -> Preset:
        """The row of the table of presets."""
        return PRESETS[self.preset]

    @property
    def stem(self) -> str:
        """What names its files."""
        return self.name or self.preset

    @property
    def folder(self) -> str:
        """Where its files lie within the folder of the delivery: empty, or a path that ends with a slash."""
        return f"{self.stem}/" if self.row.playlist else ""

    @property
    def file_name(self) -> str:
        """Its main file, relative to the folder of the delivery; unique within a plan."""
        return f"{self.folder}{self.row.playlist or f'{self.stem}.{self.row.extension}'}"

    @property
    def given(self) -> frozenset[str]:
        """The fields that are set to something."""
        fields = type(self).model_fields.items()
        return frozenset(name for name, field in fields if getattr(self, name) != field.default)

    def sets(self, options: Iterable[str]) -> bool:
        """Tell whether any of these fields is set."""
        return not self.given.isdisjoint(options)

    @property
    def changes_aspect(self) -> bool:
        """Whether it asks for an aspect ratio of its own."""
        return bool(self.aspect or (self.width and self.height))

    @property
    def is_required(self) -> bool:
        """Whether a delivery without it fails."""
        return self.row.required if self.required is None else self.required

    @property
    def fingerprint(self) -> str:
        """The same for outputs with the same content, whatever they are called: 16 hexadecimal digits."""
        content = self.model_dump(mode="json", exclude_none=True, include={*self.given} - {"name", "required"})
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


class RenderPlan(PlanPart):
    """What to make of a video.

    :param outputs: what is made, 1 to 24, each with a name of its own; default: master, poster, preview and contact
        sheet.
    :param gates: what is checked in the same pass.
    """

    outputs: Annotated[tuple[Output, ...], Field(min_length=1, max_length=MAX_OUTPUTS)] = tuple(
        Output(preset=name) for name in DEFAULT_OUTPUTS
    )
    gates: Gates = Gates()

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        stems = [output.stem for output in self.outputs]
        if twice := next((stem for stem in stems if stems.count(stem) > 1), None):
            raise NotLegal(f"`outputs` has two outputs called {twice}", "a `name` of its own for each")
        return self

    @classmethod
    def parse(cls, data: Any) -> Self:
        """Read a plan from JSON data: an object, its text, a list of outputs, or None for the default plan.

        :raises PlanError: it is no plan; the message names the fields.
        """
        try:
            if isinstance(data, str):
                data = json.loads(data)
        except (ValueError, RecursionError):
            wrong = f"{quoted(data)} is not valid JSON: {fault_of_json(data) or 'it is neither a list nor an object'}"
            raise PlanError(Fault("the plan", wrong, "the JSON text of a plan, or of a list of outputs")) from None
        if isinstance(data, list):
            data = {"outputs": data}
        try:
            return cls.model_validate(with_json_read({} if data is None else data, cls))
        except ValidationError as error:
            raise PlanError(faults_of(error, cls, whole="the plan")) from None
