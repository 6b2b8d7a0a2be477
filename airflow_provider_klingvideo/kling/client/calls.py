"""Methods of both clients from one description: an operation becomes a method that sends it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, Generic, ParamSpec, Self, TypeVar, overload

from airflow_provider_klingvideo.kling.wire.operation import Operation

P = ParamSpec("P")
T = TypeVar("T")


class SyncSender(ABC):
    """Sends operations and returns their results."""

    @abstractmethod
    def send(self, operation: Operation[T]) -> T:
        """Send an operation; a read is retried, a create is sent once."""


class AsyncSender(ABC):
    """Sends operations on an event loop."""

    @abstractmethod
    async def send(self, operation: Operation[T]) -> T:
        """Send an operation; a read is retried, a create is sent once."""


class Call(Generic[P, T]):
    """A method that sends an operation: it returns the result on a :class:`SyncSender`, on an :class:`AsyncSender` a
    coroutine of it.

    :param operation: makes the operation of the method's arguments.
    """  # noqa: D205

    def __init__(self, operation: Callable[P, Operation[T]]) -> None:
        self.operation = operation
        self.__doc__ = operation.__doc__

    @overload
    def __get__(self, sender: None, owner: type) -> Self: ...
    @overload
    def __get__(self, sender: AsyncSender, owner: type) -> Callable[P, Coroutine[Any, Any, T]]: ...
    @overload
    def __get__(self, sender: SyncSender, owner: type) -> Callable[P, T]: ...

    def __get__(self, sender: Any, owner: type) -> Any:
        """Bind the method to a sender."""
        if sender is None:
            return self

        @wraps(self.operation)
        def call(*args: P.args, **kwargs: P.kwargs) -> Any:
            return sender.send(self.operation(*args, **kwargs))

        return call
