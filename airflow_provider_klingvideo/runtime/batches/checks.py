"""The check of a batch's rows with the parts of a session: operators and the command line use the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from airflow_provider_klingvideo.media import require_usable_files
from airflow_provider_klingvideo.runtime.configuration import table_limits
from airflow_provider_klingvideo.runtime.paths import open_path
from airflow_provider_klingvideo.runtime.session import Session
from airflow_provider_klingvideo.validation import is_json_text
from airflow_provider_klingvideo.workflow import JobStore
from airflow_provider_klingvideo.workflow.batch.checking import REFUSE, RowChecks, accepted_rows, require_legal
from airflow_provider_klingvideo.workflow.batch.placed import PlacedRequest, faults_in, place_of
from airflow_provider_klingvideo.workflow.batch.row_book import Row, RowBook
from airflow_provider_klingvideo.workflow.batch.rows import keyed, listed_rows, read_rows
from airflow_provider_klingvideo.workflow.inputs.reader import InputReader
from airflow_provider_klingvideo.workflow.job.sections import Budget


def requests_from(rows: Any, *, keeps_faulty: bool = False) -> list[dict[str, Any]]:
    """Read the requests of a batch.

    :param rows: the path or URI of a file, a list, or the JSON text of a list, as templates give it.
    :param keeps_faulty: see :func:`read_rows`.
    :raises InputError: naming everything in them that is no request.
    """
    limits = table_limits()
    if isinstance(rows, str) and not _is_list(rows):
        return read_rows(open_path(rows), limits=limits, keeps_faulty=keeps_faulty)
    return listed_rows(rows, limits=limits, keeps_faulty=keeps_faulty)


def _is_list(text: str) -> bool:
    """Whether a text is JSON and no path, which may begin like it: ``[2026] shots.csv``."""
    return is_json_text(text) and text.rstrip()[-1] in ("]", "}")


def checked_batch(
    session: Session, store: JobStore, book: RowBook, rows: Any, on_invalid_rows: str, budget: Budget | None = None
) -> list[Row]:
    """Read the rows of a batch, check them, and keep them.

    :param rows: see :func:`requests_from`.
    :param on_invalid_rows: see :func:`accepted_rows`.
    :param budget: what the rows may spend together, None for no budget.
    :returns: all rows in order; those that are left out say why.
    :raises KlingVideoError: options, connection or render plan make no sense; rows cannot be read, or have faults.
    """
    # A connection or a render plan that makes no sense is told before the rows are read.
    session.settings  # noqa: B018
    # A row without a key is named by what it asks for, signatures included: so it was before they were sealed.
    requests = keyed(requests_from(session.opened(rows), keeps_faulty=on_invalid_rows != REFUSE))
    sealed = {
        key: PlacedRequest(session.sealed(dict(one)), place_of(one), faults_in(one)) for key, one in requests.items()
    }
    with _checks(session, store, budget) as checks:
        return accepted_rows(book, sealed, checks, on_invalid_rows)


def require_legal_rows(
    session: Session, store: JobStore, book: RowBook, rows: Sequence[Row], budget: Budget | None = None
) -> None:
    """Check rows that somebody else has read; see :func:`checked_batch`.

    :raises InvalidRowsError: rows have faults.
    """
    with _checks(session, store, budget) as checks:
        require_legal(book, rows, checks)


@contextmanager
def _checks(session: Session, store: JobStore, budget: Budget | None) -> Iterator[RowChecks]:
    settings = session.settings
    inputs = InputReader(open_path, store.at, lambda job: str(job.klingai_job_id), settings.media)
    look_at_plan = partial(require_usable_files, settings.plan, open_path, settings.media)
    with session.connection.client() as client:
        yield RowChecks(
            client.family_for,
            settings.unknown_models,
            inputs,
            store,
            session.opened,
            look_at_plan,
            budget,
            settings.terms,
        )
