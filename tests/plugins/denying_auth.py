"""Airflow's simple auth manager, except that one DAG is only for administrators."""

from __future__ import annotations

from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

SECRET_DAG = "secret"


class DenyingAuthManager(SimpleAuthManager):
    """Denies a DAG to all but administrators."""

    def is_authorized_dag(self, *, method, user, access_entity=None, details=None):
        if details is not None and details.id == SECRET_DAG and user.role != "admin":
            return False
        return super().is_authorized_dag(method=method, user=user, access_entity=access_entity, details=details)
