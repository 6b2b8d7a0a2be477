"""Kling's API: requests, prices, credentials, clients, errors; knows no Airflow.

The names are loaded when they are first used, so that DAG files which import the provider stay quick to parse.
"""

from __future__ import annotations

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
