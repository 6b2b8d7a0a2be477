"""The user's own catalogue of models and prices: ``[klingvideo] catalogue`` names its file.

Whatever asks the registry within Airflow imports this module, so that all processes go by the same catalogue.
"""

from __future__ import annotations

from airflow_provider_klingvideo._compat import conf
from airflow_provider_klingvideo.kling.catalogue.capabilities import read_from


def configured() -> str:
    """Return the path of the file, empty for the catalogue of this release."""
    return str(conf.get("klingvideo", "catalogue", fallback="") or "").strip()


def heed() -> None:
    """Have the registry read it."""
    read_from(configured)
