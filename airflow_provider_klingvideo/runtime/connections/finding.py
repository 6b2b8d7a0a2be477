"""Finding a connection. Airflow says "not defined" as well when it could not ask; here these are two errors."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook

from airflow_provider_klingvideo._compat import AirflowNotFoundException
from airflow_provider_klingvideo.errors import Fault, quoted
from airflow_provider_klingvideo.runtime.connections.faults import ConnectionSettingsError, UnreachableConnectionError
from airflow_provider_klingvideo.runtime.connections.fields import did_you_mean

if TYPE_CHECKING:
    from airflow.sdk import Connection

CONNECTION_TYPE = "klingai"
WHERE = "klingai_conn_id"
FIELDS = ("conn_type", "description", "host", "login", "password", "schema", "port", "extra")
_WRONG = {"`port`": ": its port is not a number", "`extra`": ": its extra is not a JSON object"}
_UNKNOWN = re.compile(r"unexpected keyword argument '(\w+)'")


def found(conn_id: str) -> Connection:
    """Return a connection of type ``klingai``.

    :param conn_id: its name.
    :raises ConnectionSettingsError: there is none, it is of another type, or this task may not read it.
    :raises UnreachableConnectionError: Airflow's database, its server or the secrets backend could not be asked.
    """
    if not isinstance(conn_id, str) or not conn_id.strip():
        raise ConnectionSettingsError(
            Fault(WHERE, f"{quoted(conn_id)} names no connection", "the id of a connection of type klingai"),
            advice="Give the id of a connection, or leave the argument out for klingai_default",
        )
    connection = _looked_up(conn_id)
    given = str(connection.conn_type or CONNECTION_TYPE).strip().lower()
    if given != CONNECTION_TYPE:
        raise ConnectionSettingsError(
            Fault(f"connection {conn_id}", f"its type is {quoted(connection.conn_type)}", f"type {CONNECTION_TYPE}"),
            advice=f"Name a connection of type {CONNECTION_TYPE}; to add one: {_command('klingai_default')}",
        )
    return connection


def look_in_the_database() -> None:
    """Make this process look for connections in Airflow's database, too, as the command ``airflow`` does.

    Outside of tasks Airflow reads them from the environment and the secrets backend only, unless this is said.
    """
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")


def _looked_up(conn_id: str) -> Connection:
    try:
        connection: Connection = BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        return _asked_again(conn_id)
    except PermissionError as error:
        raise ConnectionSettingsError(
            Fault(WHERE, f"this task may not read connection {quoted(conn_id)}", "a connection that it may read"),
            advice="Allow it in Airflow, or name another connection",
        ) from error
    except Exception as error:
        raise _unreachable(conn_id, "Airflow", error) from error
    return connection


def _asked_again(conn_id: str) -> Connection:
    """Ask every place once more: Airflow says "not defined" of a place that it could not ask."""
    for name, ask in _places():
        try:
            connection: Connection | None = ask(conn_id)
        except (ValueError, TypeError, KeyError) as error:
            what = f"{name} holds text that is no connection{_why(error)}"
            raise ConnectionSettingsError(
                Fault(f"connection {conn_id}", what, "JSON or a URI"),
                advice=f"Correct {_variable(conn_id)} in the environment, or what the secrets backend holds",
            ) from error
        except Exception as error:
            raise _unreachable(conn_id, name, error) from error
        if connection:
            return connection
    raise ConnectionSettingsError(
        Fault(WHERE, f"there is no connection {quoted(conn_id)}", "the id of a connection of type klingai"),
        advice=f"Add it: {_command(conn_id)}, or set {_variable(conn_id)} in the environment",
    )


def _why(error: Exception) -> str:
    """Say what Airflow found wrong with the text of a connection; the text itself holds a key, and is not shown."""
    unknown = _UNKNOWN.search(str(error))
    if unknown:
        return f": it has {unknown[1]!r}, which is not a field{did_you_mean(unknown[1], FIELDS)}"
    return next((why for sign, why in _WRONG.items() if sign in str(error)), "")


def _unreachable(conn_id: str, name: str, error: Exception) -> UnreachableConnectionError:
    return UnreachableConnectionError(
        f"Connection {quoted(conn_id)} cannot be read: {name} cannot be asked ({type(error).__name__})",
        advice=f"Try again when Airflow's database and its secrets backend can be reached, or set {_variable(conn_id)} "
        "in the environment",
    )


def _places() -> Iterator[tuple[str, Any]]:
    """Where Airflow looks, in its order: the name, and a function that looks."""
    from airflow.sdk.execution_time.secrets import ExecutionAPISecretsBackend
    from airflow.sdk.execution_time.supervisor import ensure_secrets_backend_loaded

    for backend in ensure_secrets_backend_loaded():
        is_server = isinstance(backend, ExecutionAPISecretsBackend)
        yield type(backend).__name__, _ask_server if is_server else backend.get_connection


def _ask_server(conn_id: str) -> Any:
    """Ask Airflow's API server, whose backend answers None to every error."""
    from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
    from airflow.sdk.execution_time.comms import ErrorResponse, GetConnection
    from airflow.sdk.execution_time.context import _process_connection_result_conn
    from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS

    answer = SUPERVISOR_COMMS.send(GetConnection(conn_id=conn_id))
    if not isinstance(answer, ErrorResponse):
        return _process_connection_result_conn(answer)
    if answer.error is not ErrorType.CONNECTION_NOT_FOUND:
        raise AirflowRuntimeError(answer)
    return None


def _command(conn_id: str) -> str:
    return f"`airflow connections add {conn_id} --conn-type {CONNECTION_TYPE} --conn-password YOUR-API-KEY`"


def _variable(conn_id: str) -> str:
    return f"AIRFLOW_CONN_{conn_id.upper()}"
