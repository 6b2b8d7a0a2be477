"""What Airflow asks this provider about itself; checked in a test against Airflow's own schema."""

from __future__ import annotations

from typing import Any

from airflow_provider_klingvideo import __version__

_PACKAGE = "airflow_provider_klingvideo"
_NAME = "Kling AI"


def get_provider_info() -> dict[str, Any]:
    """Return the provider's metadata, by the schema of Airflow's ``provider_info.schema.json``."""
    return {
        "package-name": "airflow-provider-klingvideo",
        "name": _NAME,
        "description": "`Kling AI <https://kling.ai/dev>`__ video generation: never charged twice, never a lost video.",
        "versions": [__version__],
        "integrations": [
            {"integration-name": _NAME, "external-doc-url": "https://kling.ai/document-api", "tags": ["service"]}
        ],
        "hooks": _modules("hooks.klingai"),
        "operators": _modules(
            "operators.assembly",
            "operators.batch",
            "operators.klingvideo",
            "operators.outcome",
            "operators.reconciliation",
            "operators.speech",
            "operators.video",
        ),
        "sensors": _modules("sensors.klingvideo"),
        "triggers": _modules("triggers.batch", "triggers.budgets", "triggers.klingvideo", "triggers.slots"),
        "task-decorators": [
            {"class-name": f"{_PACKAGE}.decorators.klingvideo.kling_video_task", "name": "kling_video"}
        ],
        "extra-links": [
            f"{_PACKAGE}.links.klingvideo.KlingConsoleLink",
            f"{_PACKAGE}.links.files.KlingVideoLink",
            f"{_PACKAGE}.links.files.KlingVideoPosterLink",
            f"{_PACKAGE}.links.files.KlingVideoRecordLink",
        ],
        "plugins": [{"name": "klingvideo", "plugin-class": f"{_PACKAGE}.plugins.klingvideo.KlingVideoPlugin"}],
        "connection-types": [
            {
                "connection-type": "klingai",
                "hook-class-name": f"{_PACKAGE}.hooks.klingai.KlingAIHook",
                "hook-name": _NAME,
                "ui-field-behaviour": UI_FIELD_BEHAVIOUR,
                "conn-fields": _CONNECTION_FIELDS,
            }
        ],
        "config": {"klingvideo": _CONFIG},
    }


def _modules(*names: str) -> list[dict[str, Any]]:
    return [{"integration-name": _NAME, "python-modules": [f"{_PACKAGE}.{name}" for name in names]}]


UI_FIELD_BEHAVIOUR: dict[str, Any] = {
    "hidden-fields": ["port", "schema", "login", "extra"],
    "relabeling": {"host": "Base URL", "password": "API key"},
    "placeholders": {
        "host": "empty: the region's address",
        "password": "from https://kling.ai/dev/api-key",
    },
}

_CONNECTION_FIELDS = {
    "region": {
        "label": "Region",
        "description": "Where the key was created. A key works in its own region only.",
        "schema": {"type": ["string", "null"], "enum": ["singapore", "beijing"], "default": "singapore"},
    },
    "access_key": {
        "label": "Access key",
        "description": "Instead of an API key, together with a secret key; serves the legacy paths only.",
        "schema": {"type": ["string", "null"]},
    },
    "secret_key": {
        "label": "Secret key",
        "description": "Signs a short-lived token for every half hour.",
        "schema": {"type": ["string", "null"], "format": "password"},
    },
    "concurrency_limit": {
        "label": "Concurrency limit",
        "description": "Tasks that may run at Kling at once; further jobs wait in the queue. "
        "Empty: what the account's packs allow, as Kling tells.",
        "schema": {"type": ["integer", "null"], "minimum": 1},
    },
    "prices": {
        "label": "Prices",
        "description": "What your contract says otherwise than Kling's list, as JSON: "
        '{"rates": [{"pack": "video", "currency": "USD", "money": "0.12"}]}.',
        "schema": {"type": ["string", "null"]},
    },
    "model_limits": {
        "label": "Limits by model",
        "description": 'The same for single models, as JSON: {"kling-3.0": 5}.',
        "schema": {"type": ["string", "null"]},
    },
}


def _option(description: str, type_: str, default: str, example: str | None = None) -> dict[str, Any]:
    return {
        "description": description,
        "version_added": "0.1.0",
        "type": type_,
        "example": example,
        "default": default,
    }


_CONFIG = {
    "description": "Kling AI video generation.",
    "options": {
        "output_path": _option(
            "Folder for videos and job records, a path or object storage URI. Empty: klingvideo below AIRFLOW_HOME.",
            "string",
            "",
            "s3://aws_default@videos/kling",
        ),
        "pages_output_paths": _option(
            "Further folders whose jobs the pages show, separated by commas: those that tasks name as their own "
            "output_path.",
            "string",
            "",
            "s3://aws_default@videos/trailers",
        ),
        "poll_min_seconds": _option(
            "Shortest pause between two questions about running tasks; one question serves all that wait.", "float", "2"
        ),
        "poll_max_seconds": _option("Longest pause between two questions about a running task.", "float", "30"),
        "minimum_deferral_seconds": _option(
            "A deferral never ends sooner: Airflow fails a task whose deferral ends before its scheduler has seen it.",
            "float",
            "10",
        ),
        "slot_pause_seconds": _option(
            "Pause between two looks for a free slot at Kling; one look serves all that wait.", "float", "3"
        ),
        "check_input_urls": _option(
            "Fetch the first bytes of what a request names by address, before anything is ordered. Turn it off where "
            "workers have no way out but Kling has.",
            "boolean",
            "True",
        ),
        "unknown_models": _option(
            "What to do with a model that the capability registry does not know: warn (send it, unless it looks like a "
            "misspelling of a known one), refuse, or send (send it in any case).",
            "string",
            "warn",
        ),
        "answer_max_bytes": _option(
            "Largest answer of Kling that is read, when it is unpacked.", "integer", "16777216"
        ),
        "rows_max_bytes": _option(
            "Largest file of a batch, and the most that a Parquet file may hold when it is unpacked.",
            "integer",
            "16777216",
        ),
        "rows_max_count": _option("Most rows of a batch.", "integer", "100000"),
        "rows_max_cell": _option("Longest text in a cell of a batch, in characters.", "integer", "100000"),
        "catalogue": _option(
            "File of models and prices that is read instead of the one of this release; see the page on prices.",
            "string",
            "",
            "/opt/airflow/kling-catalogue.json",
        ),
        "listeners": _option(
            "Paths of functions or classes, separated by commas, that are told everything that happens to a job; see "
            "the guide on operators.",
            "string",
            "",
            "my_company.kling.on_entry",
        ),
        "download_max_bytes": _option("Largest video that is loaded.", "integer", "2147483648"),
        "download_timeout_seconds": _option("Wall-clock limit for loading one video.", "float", "900"),
        "ffmpeg_path": _option(
            "The ffmpeg binary. Empty: the one on PATH, else that of the ffmpeg extra.", "string", "", "/usr/bin/ffmpeg"
        ),
        "ffmpeg_threads": _option("Threads of each ffmpeg; 0 for as many as it likes.", "integer", "0"),
        "ffmpeg_nice": _option("How far ffmpeg stands back behind other processes, 0 to 19.", "integer", "0"),
        "render_plan": _option(
            "JSON of what is made of each video, where a task does not say it. Empty: master, poster, preview and "
            "contact sheet.",
            "string",
            "",
            '["master", "poster", {"preset": "web", "aspect": "9:16", "fit": "blur"}]',
        ),
    },
}
