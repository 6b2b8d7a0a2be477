"""Links on task instances."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator

CONSOLE_URL_KEY = "klingvideo_console_url"


class KlingConsoleLink(BaseOperatorLink):
    """Opens the place where a person sees tasks and balance: Kling's console, or the sandbox's page."""

    name = "Kling AI console"

    @property
    def xcom_key(self) -> str:
        """Where the operator leaves the address."""
        return CONSOLE_URL_KEY

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        """Return the address that the task left, empty when it has not run yet."""
        from airflow.sdk.execution_time.xcom import XCom

        return XCom.get_value(key=CONSOLE_URL_KEY, ti_key=ti_key) or ""
