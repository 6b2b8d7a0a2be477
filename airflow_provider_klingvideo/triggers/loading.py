"""Loading what triggers need, beside the event loop of the triggerer."""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import Any
from weakref import WeakKeyDictionary

_loads: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Future[Any]] = WeakKeyDictionary()


async def load_modules() -> None:
    """Load the modules on a thread, once: it takes a fifth of a second, in which no other trigger could run."""
    loop = asyncio.get_running_loop()
    if loop not in _loads:
        _loads[loop] = loop.run_in_executor(None, import_module, "airflow_provider_klingvideo.runtime.stations")
    # A trigger that is cancelled must not take the load from the others.
    await asyncio.shield(_loads[loop])
