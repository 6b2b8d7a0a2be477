"""The rows of a batch before the first of them is ordered: every fault of every row, told at once.

Nothing is sent and nothing is put on record. What only Kling and the network can tell (whether the key is taken, and
whether an address can be fetched) is left to the validation of each job.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from airflow_provider_klingvideo.errors import Fault, KlingVideoError
from airflow_provider_klingvideo.kling import ApiFamily, GenerationRequest, Terms, check_request
from airflow_provider_klingvideo.kling.products.media_fields import with_media
from airflow_provider_klingvideo.kling.products.reading import MediaKind
from airflow_provider_klingvideo.workflow.batch.faults import InvalidRowsError, RowFault, told, write_faults
from airflow_provider_klingvideo.workflow.batch.placed import faults_in
from airflow_provider_klingvideo.workflow.batch.row_book import Row, RowBook
from airflow_provider_klingvideo.workflow.gates.budgets.reservations import Reservations
from airflow_provider_klingvideo.workflow.inputs.creation import RESUMABLE_ENDS, asked_for, is_same_request, request_of
from airflow_provider_klingvideo.workflow.inputs.reader import INLINE_FAULT, InputReader, inline_media
from airflow_provider_klingvideo.workflow.job.job import WorkflowJob
from airflow_provider_klingvideo.workflow.job.sections import Budget
from airflow_provider_klingvideo.workflow.job.store import JobStore
from airflow_provider_klingvideo.workflow.ordering.preparation import expected_price

log = logging.getLogger(__name__)

REFUSE = "refuse"

CellFaults = Mapping[str, Sequence[Fault]]
"""What was wrong with the cells of rows when they were read, by the ids of their jobs."""
FamilyFor = Callable[[GenerationRequest, "str | None"], ApiFamily]
"""Chooses the API family of a request, given what it says about it itself."""


@dataclass
class RowChecks:
    """What rows are checked by.

    :param family_for: see :data:`FamilyFor`.
    :param unknown_models: what to do with a model that the capability registry does not know.
    :param inputs: looks at the files that requests name.
    :param store: the records of the batch.
    :param opened: opens the signed parts of addresses.
    :param require_usable_plan: looks at the files of the render plan, which all rows share.
    :param budget: what each row may cost, None for no budget.
    :param terms: by what the account pays.
    """

    family_for: FamilyFor
    unknown_models: Literal["warn", "refuse", "send"]
    inputs: InputReader
    store: JobStore
    opened: Callable[[Any], Any]
    require_usable_plan: Callable[[], object]
    budget: Budget | None = None
    terms: Terms = field(default_factory=Terms)
    _looked_at: dict[tuple[MediaKind, str, ApiFamily], list[Fault]] = field(default_factory=dict)

    def faults(self, rows: Sequence[Row], of_cells: CellFaults) -> list[RowFault]:
        """Return what is wrong with rows; nothing is wrong with one whose video is there or under way.

        :param of_cells: what was wrong with cells of theirs.
        :raises PlanError: a file of the render plan cannot be used, and a row has still to be made.
        :raises KlingVideoError: a store could not be asked; later it may be.
        """
        if not all(map(self._is_made, rows)):
            self.require_usable_plan()
        return [RowFault(row, fault) for row in rows for fault in of_cells.get(row.job_id) or self._faults_of(row)]

    def _faults_of(self, row: Row) -> Sequence[Fault]:
        found: list[Fault] = []
        raised = _raised(lambda: found.extend(self._of_request(row)), "the request")
        faults = [*raised, *found]
        return [] if faults and self._is_made(row) else faults

    def _of_request(self, row: Row) -> Iterator[Fault]:
        prompt, params = asked_for(self.opened(row.request))
        if names := inline_media(params):
            yield from (Fault(name, *INLINE_FAULT) for name in names)
            return
        request, api = request_of(prompt, params)
        family = self.family_for(request, api)
        yield from _raised(lambda: check_request(request, family, unknown_models=self.unknown_models), "the request")
        yield from _raised(lambda: self._require_affordable(row, request, family), "budget_units")
        yield from self._of_files(request, family)

    def _require_affordable(self, row: Row, request: GenerationRequest, family: ApiFamily) -> None:
        job = WorkflowJob(id=row.job_id, budget=self.budget, estimate=expected_price(request, family, self.terms))
        Reservations(self.inputs.open_path).require_affordable(job)

    def _of_files(self, request: GenerationRequest, family: ApiFamily) -> list[Fault]:
        found: list[Fault] = []

        def look(where: str, kind: MediaKind, value: str) -> str:
            found.extend(Fault(where, one.what, one.legal) for one in self._of_file(kind, value, family))
            return value

        with_media(request, look)
        return found

    def _of_file(self, kind: MediaKind, value: str, family: ApiFamily) -> list[Fault]:
        """What is wrong with a file; many rows name the same one, which is read once."""
        known = self._looked_at
        if (kind, value, family) not in known:
            known[kind, value, family] = _raised(lambda: self.inputs.require_usable("", kind, value, family), "")
        return known[kind, value, family]

    def _is_made(self, row: Row) -> bool:
        """Whether nothing has to be ordered for a row: a picture that is gone since must not stop the others."""
        job = self.store.load(row.job_id)
        return job is not None and job.state not in RESUMABLE_ENDS and is_same_request(job, row.request)


def _raised(check: Callable[[], object], where: str) -> list[Fault]:
    """Return the faults that a check raises.

    :param where: what is at fault where an error does not say.
    """
    try:
        check()
    except KlingVideoError as error:
        if error.retryable:
            raise
        return [*error.faults] or [Fault(where, error.message.removeprefix(": "), error.advice or "another value")]
    return []


def accepted_rows(
    book: RowBook, requests: Mapping[str, Mapping[str, Any]], checks: RowChecks, on_invalid_rows: str
) -> list[Row]:
    """Check the rows of a batch, and keep them.

    :param book: where they are kept, and their faults.
    :param requests: row key to request.
    :param on_invalid_rows: ``refuse`` the batch, or ``skip`` the rows with faults.
    :returns: all rows in order; those that are left out say why.
    :raises InvalidRowsError: rows have faults and the batch is refused, or none is left; no row is kept then.
    """
    rows = book.named(requests)
    cells = {row.job_id: faults_in(request) for row, request in zip(rows, requests.values(), strict=True)}
    found = _told_faults(book, rows, checks, cells)
    reasons = _reasons(found)
    if found and (on_invalid_rows == REFUSE or len(reasons) == len(rows)):
        raise InvalidRowsError(found, len(rows), book.faults_path)
    if found:
        log.warning("Rows that cannot be ordered are left out:\n%s", told(found, book.faults_path))
    checked = [row.left_out(reasons[row.job_id]) if row.job_id in reasons else row for row in rows]
    book.keep(checked)
    return checked


def require_legal(book: RowBook, rows: Sequence[Row], checks: RowChecks) -> None:
    """Refuse rows with faults.

    :raises InvalidRowsError: naming all of them.
    """
    if found := _told_faults(book, rows, checks, {}):
        raise InvalidRowsError(found, len(rows), book.faults_path)


def _told_faults(book: RowBook, rows: Sequence[Row], checks: RowChecks, of_cells: CellFaults) -> list[RowFault]:
    found = checks.faults(rows, of_cells)
    write_faults(book.faults_path, found)
    return found


def _reasons(found: Sequence[RowFault]) -> dict[str, str]:
    """Why rows are left out, by the ids of their jobs."""
    reasons: dict[str, list[str]] = {}
    for one in found:
        reasons.setdefault(one.row.job_id, []).append(str(one.fault))
    return {job_id: "; ".join(faults) for job_id, faults in reasons.items()}
