"""The trigger form of a video: Airflow Params whose choices come from the capability registry.

Read when a DAG file is parsed, so it loads nothing but the registry's data file and the table of presets.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from airflow.sdk import Param

from airflow_provider_klingvideo.kling.catalogue.capabilities import registry
from airflow_provider_klingvideo.media.outputs.presets import DEFAULT_OUTPUTS, PRESETS
from airflow_provider_klingvideo.runtime import catalogue

TEXT_TO_VIDEO = "text_to_video"
IMAGE_TO_VIDEO = "image_to_video"

DEFAULT_MODEL = "kling-3.0-turbo"

catalogue.heed()


def text_to_video_params(prompt: str = "A red fox runs through fresh snow, low winter sun") -> dict[str, Param]:
    """Return the form for a video from text.

    :param prompt: what the form proposes.
    """
    return {"prompt": _prompt(TEXT_TO_VIDEO, prompt, required=True), **_output(TEXT_TO_VIDEO), **_advanced()}


def image_to_video_params(first_frame: str = "", prompt: str = "The camera moves slowly closer") -> dict[str, Param]:
    """Return the form for a video from a picture.

    :param first_frame: the address that the form proposes.
    :param prompt: what the form proposes.
    """
    return {
        "first_frame": Param(
            first_frame,
            type="string",
            minLength=1,
            title="First frame",
            description="http(s) URL, or a path that the worker can read (s3://, file://). JPG or PNG, 300 px or more.",
            section="Picture",
        ),
        "last_frame": Param(
            None,
            type=["null", "string"],
            title="Last frame",
            description="Optional; not every model knows it.",
            section="Picture",
        ),
        "prompt": _prompt(IMAGE_TO_VIDEO, prompt, required=False),
        **_output(IMAGE_TO_VIDEO),
        **_advanced(),
    }


def output_params(outputs: Sequence[str] = DEFAULT_OUTPUTS) -> dict[str, Param]:
    """Return the part of a form that says what is made of a finished video; :func:`plan_from_params` reads it.

    :param outputs: the presets that the form proposes.
    """
    return {
        "outputs": Param(
            list(outputs),
            type="array",
            minItems=1,
            examples=list(PRESETS),
            values_display={name: f"{name}: {preset.summary}" for name, preset in PRESETS.items()},
            title="Outputs",
            description="What is made of the video.",
            section="After generation",
        ),
        "render_plan": Param(
            None,
            type=["null", "object"],
            title="Render plan",
            description="Instead of outputs: a whole plan, with sizes, trims, logos, texts, music and gates.",
            section="After generation",
        ),
    }


def plan_from_params() -> str:
    """Return the template of a render plan that takes its values from the params of :func:`output_params`."""
    return "{{ (params.render_plan or params.outputs) | tojson }}"


def request_from_params(names: Iterable[str], **fixed: Any) -> dict[str, Any]:
    """Return a templated request that takes its values from the run's params; params left empty are not given.

    :param names: the params to take.
    :param fixed: parts of the request that are no params.
    """
    return {**{name: _template(name) for name in names}, **fixed}


def _template(name: str) -> str:
    """Lists and objects become JSON text: by itself a template writes them as Python does, which nobody reads."""
    value = f"params.{name}"
    given = f"{value} if {value} is string or {value} is not iterable else {value} | tojson"
    return f"{{{{ ({given}) if {value} is not none else '' }}}}"


def _prompt(kind: str, value: str, *, required: bool) -> Param:
    return Param(
        value,
        type="string",
        format="multiline",
        minLength=1 if required else 0,
        maxLength=registry().prompt_max(kind),
        title="Prompt",
        description="What the video shows.",
        section="Prompt",
    )


def _output(kind: str) -> dict[str, Param]:
    known = registry()
    durations = known.durations(kind)
    params = {
        "model": Param(
            DEFAULT_MODEL,
            type="string",
            enum=known.model_names(kind),
            values_display={name: known.label(name) for name in known.model_names(kind)},
            title="Model",
            section="Output",
        ),
        "duration": Param(
            5,
            type="integer",
            minimum=min(durations),
            maximum=max(durations),
            title="Duration",
            description="Seconds. 2.x models: 5 or 10.",
            section="Output",
        ),
        "resolution": Param("720p", type="string", enum=known.resolutions(kind), title="Resolution", section="Output"),
        "audio": Param(
            "default",
            type="string",
            enum=["default", "off", "native"],
            values_display={"default": "As the model does by itself", "off": "Silent", "native": "With sound"},
            title="Sound",
            description="3.0 Turbo always has sound; 2.6 has it with 1080p only.",
            section="Output",
        ),
    }
    ratios = known.aspect_ratios(kind)
    if ratios:
        params["aspect_ratio"] = Param(ratios[0], type="string", enum=ratios, title="Aspect ratio", section="Output")
    return params


def _advanced() -> dict[str, Param]:
    return {
        "negative_prompt": Param(
            None,
            type=["null", "string"],
            title="Negative prompt",
            description="Legacy API only.",
            section="Advanced",
        ),
        "api": Param(
            "auto",
            type="string",
            enum=["auto", "new", "legacy"],
            title="API generation",
            description="auto: by the credentials and the model.",
            section="Advanced",
        ),
        "watermark": Param(False, type="boolean", title="Also deliver a watermarked video", section="Advanced"),
    }
