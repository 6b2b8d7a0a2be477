"""The connection to Kling AI."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from airflow.sdk import BaseHook

from airflow_provider_klingvideo.errors import KlingVideoError
from airflow_provider_klingvideo.get_provider_info import UI_FIELD_BEHAVIOUR
from airflow_provider_klingvideo.runtime.connections.connection import KlingConnection, KlingSettings
from airflow_provider_klingvideo.runtime.options import DEFAULT_CONNECTION

if TYPE_CHECKING:
    from airflow_provider_klingvideo.kling import AsyncKlingClient, KlingClient, Output
    from airflow_provider_klingvideo.kling.wire.operation import Operation

T = TypeVar("T")

if TYPE_CHECKING:
    from airflow_provider_klingvideo.kling.client.calls import SyncSender
    from airflow_provider_klingvideo.kling.client.methods import VendorMethods

    class _Calls(VendorMethods, SyncSender):
        """The hook's methods as a type checker sees them."""
else:

    class _Calls:
        """Kling's calls as methods, loaded when one is used: DAG files that import the hook stay quick."""

        def __getattr__(self, name):
            from airflow_provider_klingvideo.kling.client.methods import VendorMethods

            call = None if name.startswith("_") else getattr(VendorMethods, name, None)
            if call is None:
                raise AttributeError(f"{type(self).__name__!r} has no attribute {name!r}")
            return call.__get__(self, type(self))


class KlingAIHook(_Calls, BaseHook):
    """Talks to Kling AI with the credentials, region and address of an Airflow connection.

    It has the methods of :class:`~airflow_provider_klingvideo.kling.client.methods.VendorMethods` (``speak``,
    ``list_elements``, ``account_costs`` ...); each opens a client and closes it. Those that cost are on record before
    and after, and paid once: a task that runs again gets the answer on record. So are those of the client that
    :meth:`get_conn` returns for several calls. A task that it creates is not on record here: Kling knows it by the
    external id that you give, and refuses a second one.

    :param klingai_conn_id: the connection, of type ``klingai``.
    :param repeat_unanswered: make a call that costs again where its answer was lost, at the risk of paying for it
        twice.
    """

    conn_name_attr = "klingai_conn_id"
    default_conn_name = DEFAULT_CONNECTION
    conn_type = "klingai"
    hook_name = "Kling AI"

    def __init__(self, klingai_conn_id: str = default_conn_name, *, repeat_unanswered: bool = False) -> None:
        super().__init__()
        self.klingai_conn_id = klingai_conn_id
        self.repeat_unanswered = repeat_unanswered
        self._connection = KlingConnection(klingai_conn_id)

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return the form's labels for Airflow 3.1, which does not read them from the provider's metadata."""
        return UI_FIELD_BEHAVIOUR

    @property
    def settings(self) -> KlingSettings:
        """The connection, checked."""
        return self._connection.settings

    def get_conn(self) -> KlingClient:
        """Return a client; close it, or use it as a context manager."""
        from airflow_provider_klingvideo.runtime.paid import RecordedClient

        return RecordedClient(self._connection, repeat_unanswered=self.repeat_unanswered)

    def get_async_conn(self) -> AsyncKlingClient:
        """Return a client for an event loop; use it as an asynchronous context manager."""
        from airflow_provider_klingvideo.runtime.paid import AsyncRecordedClient

        return AsyncRecordedClient(self._connection, repeat_unanswered=self.repeat_unanswered)

    def send(self, operation: Operation[T]) -> T:
        """Send one operation of :mod:`airflow_provider_klingvideo.kling`; what costs money is paid once.

        :raises UnansweredCallError: this or an earlier call of this task may have been paid, and its answer is lost.
        """
        if not operation.what:
            return self._connection.send(operation)
        from airflow_provider_klingvideo.runtime.paid import recorded

        return recorded(self._connection, operation, repeat_unanswered=self.repeat_unanswered)

    def task_outputs(self, task_id: str, kind: str) -> Sequence[Output]:
        """Ask for the outputs of a finished task, with fresh, signed addresses.

        :param task_id: Kling's id.
        :param kind: the product, for example ``text_to_video``.
        :raises KlingVideoError: when Kling does not know the task (any more).
        """
        return self._connection.task_outputs(task_id, kind)

    def test_connection(self) -> tuple[bool, str]:
        """Ask for the account's packs, which is free, and say what works or what is wrong."""
        from airflow_provider_klingvideo.kling import last_thirty_days

        try:
            settings = self.settings
            with self.get_conn() as client:
                packs = client.account_costs(*last_thirty_days())
        except KlingVideoError as error:
            return False, str(error)
        where = settings.base_url if settings.is_custom_host else f"region {settings.region}"
        usable = [pack for pack in packs if pack.status == "online"]
        left = ", ".join(f"{pack.name}: {pack.remaining} of {pack.total} units left" for pack in usable)
        packs_told = left or "No active resource pack: creates will be refused unless pay-as-you-go is enabled"
        return True, ". ".join([f"Connected to {where}", packs_told, *settings.notes]) + "."
