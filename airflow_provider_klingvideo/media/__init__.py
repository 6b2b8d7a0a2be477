"""Download, verification, rendering and publishing of videos; knows no Airflow.

The names are loaded when they are first used, so that DAG files which import the provider stay quick to parse. No
module here has the name of a function: loading it would put the module in the function's place.
"""

from __future__ import annotations

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
