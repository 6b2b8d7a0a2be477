"""What can be wrong with a connection."""

from __future__ import annotations

from airflow_provider_klingvideo.errors import KlingVideoError


class ConnectionSettingsError(KlingVideoError, ValueError):
    """The Airflow connection does not exist, is of another type, is incomplete or contradicts itself."""

    kind = "connection"
    default_advice = "Edit the connection under Admin > Connections"


class UnreachableConnectionError(KlingVideoError):
    """Where the connection is kept cannot be asked now; whether it exists is not known."""

    kind = "connection"
    default_retryable = True
    default_advice = "Try again when Airflow's database and its secrets backend can be reached"
