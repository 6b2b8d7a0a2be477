"""Whether limits that are kept in a folder are exact, and one warning where they are not."""

from __future__ import annotations

import logging

from airflow_provider_klingvideo.storage.exclusive import is_proved
from airflow_provider_klingvideo.storage.protocols import StorePath
from airflow_provider_klingvideo.storage.stores import store_key

log = logging.getLogger(__name__)

_said: set[tuple[object, ...]] = set()


def is_exact(folder: StorePath) -> bool:
    """Tell whether a ledger can be kept in a folder; where it cannot, the log says once what that means.

    :raises OSError: the store refused, so that nothing is known.
    """
    if is_proved(folder):
        return True
    if (store := store_key(folder)) not in _said:
        _said.add(store)
        log.warning(
            "Limits of budgets and slots are kept approximately in the store of %s: it cannot create files "
            "exclusively, so that workers which act in the same moment may exceed a limit, or hold each other up",
            folder,
        )
    return False
