"""The ``contents`` array of the new generation (kling-api section 6.3)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from airflow_provider_klingvideo.sandbox.account.answers import invalid
from airflow_provider_klingvideo.sandbox.account.fields import Fields
from airflow_provider_klingvideo.sandbox.account.library import ElementType, Library
from airflow_provider_klingvideo.sandbox.account.limits import NEW_IMAGE, Limits
from airflow_provider_klingvideo.sandbox.account.orders import Input, missing, read_address, read_input


class Contents:
    """The items of a request, counted by type.

    :param fields: the body.
    :param limits: how many items of each type there may be; a type without a limit does not exist.
    :param too_many: the words for more items of a type, where they differ from the usual ones.
    """

    def __init__(
        self, fields: Fields, limits: Mapping[str, int], too_many: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        items = fields.objects("contents")
        if not items:
            raise invalid("contents cannot be empty")
        self._items: dict[str, list[Fields]] = {}
        for item in items:
            kind = item.choice("type", [kind for kind, limit in limits.items() if limit], "")
            if not kind:
                raise item.wrong("type")
            self._items.setdefault(kind, []).append(item)
        for kind, limit in limits.items():
            if len(self.of(kind)) > limit:
                raise invalid(too_many.get(kind) or f"at most {limit} content items of type '{kind}' are allowed")
        self._check_handles(items)

    @staticmethod
    def _check_handles(items: list[Fields]) -> None:
        handles = [handle for item in items if (handle := item.text("id"))]
        for handle in handles:
            if handles.count(handle) > 1:
                raise invalid(f"content item id '{handle}' is not unique")

    def of(self, kind: str) -> list[Fields]:
        """The items of a type."""
        return self._items.get(kind, [])

    def prompt(self, limit: int) -> str:
        """The text of the prompt item, empty when there is none."""
        for item in self.of("prompt"):
            text = item.text("text", limit)
            if not text.strip():
                raise invalid("content item of type 'prompt' must have non-blank text")
            return text
        return ""

    def require(self, kind: str) -> None:
        """Refuse a request without an item of a type."""
        if not self.of(kind):
            raise invalid(f"content item of type '{kind}' is required")

    def images(self, *kinds: str) -> tuple[Input, ...]:
        """The pictures of some types."""
        return tuple(read_input(kind, self._url(kind, item), NEW_IMAGE) for kind in kinds for item in self.of(kind))

    def videos(self, kind: str, limits: Limits) -> tuple[Input, ...]:
        """The films of a type."""
        return tuple(read_address(kind, self._url(kind, item), limits) for item in self.of(kind))

    @staticmethod
    def _url(kind: str, item: Fields) -> str:
        url = item.text("url")
        if not url.strip():
            raise invalid(f"content item of type '{kind}' must have a non-blank url")
        return url

    def elements(self, library: Library) -> tuple[ElementType, ...]:
        """What kind each element is."""
        found = []
        for item in self.of("element"):
            identifier = self._named("element", item)
            kind = library.element(identifier)
            if kind is None:
                raise missing("element", identifier)
            found.append(kind)
        return tuple(found)

    def voices(self, library: Library) -> int:
        """How many voices there are, all of them known."""
        for item in self.of("voice"):
            if not library.has_voice(identifier := self._named("voice", item)):
                raise missing("voice", identifier)
        return len(self.of("voice"))

    @staticmethod
    def _named(kind: str, item: Fields) -> str:
        identifier = item.text(f"{kind}_id")
        if not identifier or not item.text("id"):
            raise invalid(f"Invalid {kind} id: {identifier}")
        return identifier
