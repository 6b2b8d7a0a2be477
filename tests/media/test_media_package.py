from __future__ import annotations

import subprocess
import sys

import pytest

from airflow_provider_klingvideo import media

HEAVY = ["httpx", "pydantic", "ffmpeg", "tenacity", "airflow"]


@pytest.mark.parametrize("name", media.__all__)
def test_every_public_name_is_the_thing_and_no_module(name: str) -> None:
    assert callable(getattr(media, name))


def test_names_stay_what_they_are_after_everything_was_loaded() -> None:
    code = (
        "from airflow_provider_klingvideo import media\n"
        "for _ in range(2):\n"
        "    assert all(callable(getattr(media, name)) for name in media.__all__)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_other_names_are_not_there() -> None:
    with pytest.raises(AttributeError, match="nothing"):
        _ = media.nothing


def test_settings_load_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from airflow_provider_klingvideo.media import DownloadLimits, Expected, MediaSettings\n"
        f"sys.exit(', '.join({{*{HEAVY}}} & {{*sys.modules}}) or None)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_room_knows_no_airflow() -> None:
    code = (
        "import sys\n"
        "from airflow_provider_klingvideo import media\n"
        "[getattr(media, name) for name in media.__all__]\n"
        "rooms = ('kling', 'workflow', 'sandbox', 'hooks', 'operators')\n"
        "sys.exit(', '.join(name for name in sys.modules if name == 'airflow'"
        " or name.startswith(tuple(f'airflow_provider_klingvideo.{room}' for room in rooms))) or None)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
