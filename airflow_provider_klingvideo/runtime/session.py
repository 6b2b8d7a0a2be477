"""The composition root: a connection, an output path and options become everything that jobs are worked on with.

Operators, sensor, triggers, batches, the command line and the comparison with Kling's list take their parts from here;
nothing else puts them together.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cached_property, partial
from typing import Any

from airflow.sdk.log import mask_secret

from airflow_provider_klingvideo.runtime import configuration
from airflow_provider_klingvideo.runtime.connections.connection import KlingConnection
from airflow_provider_klingvideo.runtime.options import DEFAULT_CONNECTION
from airflow_provider_klingvideo.runtime.paths import open_path
from airflow_provider_klingvideo.storage.names import folder_of, old_name
from airflow_provider_klingvideo.storage.protocols import StorePath
from airflow_provider_klingvideo.storage.writing import read_whole
from airflow_provider_klingvideo.workflow import (
    TRANSITIONS,
    Driver,
    JobStore,
    StepSettings,
    TransitionTable,
    VideoSteps,
    WorkflowEngine,
    WorkflowJob,
)
from airflow_provider_klingvideo.workflow.batch.row_book import RowBook
from airflow_provider_klingvideo.workflow.delivering import RenderListener
from airflow_provider_klingvideo.workflow.gates.budgets.reservations import FOLDER as BUDGETS
from airflow_provider_klingvideo.workflow.gates.budgets.reservations import Reservations
from airflow_provider_klingvideo.workflow.gates.slots.slots import FOLDER as SLOTS
from airflow_provider_klingvideo.workflow.gates.slots.slots import SlotBoard, SlotRules, Slots
from airflow_provider_klingvideo.workflow.inputs.sealing import Seal, has_sealed_parts, has_signed_parts, secrets_of
from airflow_provider_klingvideo.workflow.job.blocking import RunBlocking
from airflow_provider_klingvideo.workflow.job.engine import TransitionListener
from airflow_provider_klingvideo.workflow.job.journal import Journal, Listener, write_log
from airflow_provider_klingvideo.workflow.job.store import RECORD_NAME
from airflow_provider_klingvideo.workflow.reconcile.reconciler import Reconciler, Report
from airflow_provider_klingvideo.workflow.waiting.timings import FOLDER as TIMINGS
from airflow_provider_klingvideo.workflow.waiting.timings import Timings


class Session:
    """What one task, trigger or command works with. Nothing is read or opened before it is needed.

    :param klingai_conn_id: the connection; None or empty for ours.
    :param output_path: folder for records, videos and what jobs share, a path or URI; None for the configured one.
    :param overrides: returns fields of :class:`StepSettings` that are set for these jobs; None means not set.
    :param transitions: another transition table, state name to names; None for the product's own.
    :param on_transition: called as ``on_transition(job, old, new)`` after each transition.
    :param listeners: are told what happens to jobs, besides the log and those of the configuration.
    """

    def __init__(
        self,
        klingai_conn_id: str | None = DEFAULT_CONNECTION,
        output_path: str | None = None,
        overrides: Callable[[], Mapping[str, Any]] = dict,
        *,
        transitions: Mapping[str, Sequence[str]] | None = None,
        on_transition: TransitionListener | None = None,
        listeners: Iterable[Listener] = (),
    ) -> None:
        self.klingai_conn_id = klingai_conn_id or DEFAULT_CONNECTION
        self._output_path = output_path
        self._overrides = overrides
        self._transitions = transitions
        self._on_transition = on_transition
        self._listeners = tuple(listeners)

    @cached_property
    def connection(self) -> KlingConnection:
        """The connection."""
        return KlingConnection(self.klingai_conn_id)

    @cached_property
    def settings(self) -> StepSettings:
        """What configuration, connection and overrides say together.

        :raises ConnectionSettingsError: the connection is incomplete or contradicts itself.
        :raises OptionError: an argument of the task makes no sense.
        """
        return configuration.step_settings(self.connection.settings, self._overrides())

    @cached_property
    def seal(self) -> Seal:
        """Closes and opens the signed parts of input addresses, with the connection's key.

        :raises ConnectionSettingsError: there is none.
        """
        return Seal(self.connection.settings.secret)

    def sealed(self, request: Any) -> Any:
        """Return requests in which no address shows what signs it; the connection is asked only where one does.

        :raises AddressError: the address of a store holds a password.
        :raises ConnectionSettingsError: the connection has no key.
        """
        return self.seal.sealed(request) if has_signed_parts(request) else request

    def opened(self, request: Any) -> Any:
        """Return requests with their addresses as they were given; from here on the log of this process hides them.

        :raises InputError: an address was sealed with another key than the connection's.
        """
        if not has_sealed_parts(request):
            return request
        opened = self.seal.opened(request)
        for secret in secrets_of(opened):
            mask_secret(secret)
        return opened

    @cached_property
    def journal(self) -> Journal:
        """Tells the log and all listeners what happens to jobs."""
        return Journal([write_log, *configuration.listeners(), *self._listeners])

    @cached_property
    def output(self) -> StorePath:
        """The folder below which all records, videos and what jobs share lie."""
        opened: StorePath = open_path(self._output_path or configuration.output_path())
        return opened

    @cached_property
    def board_folder(self) -> StorePath:
        """The folder of what is known about the slots of the connection."""
        return folder_of(self.output / SLOTS, self.klingai_conn_id)

    @property
    def timings(self) -> Timings:
        """How long tasks of Kling take."""
        return Timings(self.output / TIMINGS)

    @property
    def reservations(self) -> Reservations:
        """What jobs have to do with their budgets."""
        return Reservations(open_path)

    def budget_folder(self, name: str) -> StorePath:
        """Return the folder of a budget."""
        return folder_of(self.output / BUDGETS, name)

    def store(self, *names: str) -> JobStore:
        """Return the records of a DAG run or batch.

        :param names: of the folders on the way there, whatever letters they have: ``dag_id, run_id`` or
            ``dag_id, batch``.
        """
        folder = self.output
        for depth in range(len(names)):
            folder = folder_of(folder, names[depth], belongs=partial(_was_made_for, names[: depth + 1]))
        return JobStore(folder)

    def store_at(self, path: str) -> JobStore:
        """Return the records below a folder.

        :param path: a path or URI.
        """
        return JobStore(open_path(path))

    def row_book(self, store: JobStore, name: str) -> RowBook:
        """Return the rows of a batch.

        :param name: of the batch among those in the store's folder.
        """
        return RowBook(store.base, name)

    def engine(self, store: JobStore) -> WorkflowEngine:
        """Return the engine that moves the jobs of a store."""
        table = TransitionTable(self._transitions) if self._transitions else TRANSITIONS
        return WorkflowEngine(table, store=store, on_transition=self._on_transition, journal=self.journal)

    @asynccontextmanager
    async def driver(
        self,
        store: JobStore,
        *,
        run_blocking: RunBlocking = asyncio.to_thread,
        on_rendering: RenderListener | None = None,
    ) -> AsyncIterator[Driver]:
        """Open the connection, and yield what works on the jobs of a store.

        :param run_blocking: how work that blocks is run.
        :param on_rendering: see :class:`VideoSteps`.
        """
        settings = self.settings
        async with self.connection.async_client() as client:
            steps = VideoSteps(
                client,
                store,
                outputs=self.connection.task_outputs,
                settings=settings,
                open_path=open_path,
                run_blocking=run_blocking,
                slots=slots_at(self.board_folder, settings.slot_rules),
                timings=self.timings,
                journal=self.journal,
                on_rendering=on_rendering,
                opened=self.opened,
            )
            yield Driver(self.engine(store), steps)


async def compared(session: Session, *, adopt: bool = False, close_stale: bool = False, **options: Any) -> Report:
    """Compare Kling's tasks of the last 30 days with the records below a session's folder.

    :param adopt: load and store what was paid and is not followed.
    :param close_stale: end the records that nobody works on any more, as abandoned.
    :param options: ``is_over``, ``stale_after`` ... of :class:`Reconciler`.
    """

    @asynccontextmanager
    async def open_store(store: JobStore) -> AsyncIterator[tuple[WorkflowEngine, VideoSteps]]:
        async with session.driver(store) as driver:
            yield driver.engine, driver.steps

    async with session.connection.async_client() as client:
        reconciler = Reconciler(client, JobStore(session.output), open_store=open_store, **options)
        return await reconciler.compare(adopt=adopt, close_stale=close_stale)


def slots_at(board: StorePath, rules: SlotRules) -> Slots:
    """Return what gives the slots of a connection.

    :param board: the folder of what is known about them.
    :param rules: the user's limits.
    """
    return Slots(SlotBoard(board), rules)


def _was_made_for(names: Sequence[str], folder: StorePath) -> bool:
    """Whether a folder that an earlier version named holds anything of these names: several could share one then.

    A record in it tells the DAG and the run that it comes from; a batch it does not tell.
    """
    origins = [origin for path in folder.rglob(RECORD_NAME) if (origin := _origin(path))[0]]
    is_ours = (
        dag_id == names[0] and (len(names) == 1 or run_id == names[1] or old_name(run_id) != folder.name)
        for dag_id, run_id in origins
    )
    return not origins or any(is_ours)


def _origin(path: StorePath) -> tuple[str, str]:
    try:
        origin = WorkflowJob.model_validate_json(read_whole(path)).origin
    except (OSError, ValueError):
        return "", ""
    return origin.dag_id or "", origin.run_id or ""
