"""A local imitation of the Kling API over HTTP, for development and tests without money.

It shares no code with the client of this package: one misreading of the API cannot hide in both.
The names are loaded when they are first used.
"""

from __future__ import annotations

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
