"""``klingvideo sandbox``: the imitated Kling API on this machine."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_klingvideo.sandbox import SandboxSettings

SUMMARY = "run an imitation of the Kling API on this machine; nothing costs money"
DESCRIPTION = """Run an imitation of the Kling API on this machine, for DAGs, demos and tests without money.
Every answer carries the header x-klingvideo-sandbox, every clip says SANDBOX.

Example: klingvideo sandbox --slots 2 --generation-seconds 3-6 --state sandbox.db"""

_TIMING = ("queue_seconds", "generation_seconds", "seed")
_OPTIONAL_SETTINGS = ("api_key", "access_key", "secret_key", "state", "webhook_secret", "ffmpeg", "max_render_height")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    listening = parser.add_argument_group("where it listens")
    listening.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    listening.add_argument("--port", type=int, default=8713, help="port, 0 for a free one (default: %(default)s)")
    account = parser.add_argument_group("the account")
    account.add_argument("--region", choices=("singapore", "beijing"), default="singapore", help="whose keys it takes")
    account.add_argument("--api-key", help="API key in place of the region's documented one")
    account.add_argument("--access-key", help="access key, likewise")
    account.add_argument("--secret-key", help="secret key, likewise; at least 32 bytes")
    account.add_argument("--slots", type=int, default=5, help="tasks at the same time (default: %(default)s)")
    account.add_argument("--balance", default="10000", help="units in the resource pack (default: %(default)s)")
    account.add_argument(
        "--payment",
        choices=("units", "cash", "mixed"),
        default="units",
        help="what pays: the pack, money afterwards, or the pack and then money (default: %(default)s)",
    )
    account.add_argument("--credit", default="10000", help="money that may be owed (default: %(default)s)")
    account.add_argument(
        "--discount", default="0", help="share of the list price not paid in money (default: %(default)s)"
    )
    account.add_argument("--webhook-secret", metavar="whsec_...", help="sign callbacks with this secret")
    tasks = parser.add_argument_group("the tasks")
    tasks.add_argument("--queue-seconds", default="1", metavar="S|S-S", help="submitted for (default: %(default)s)")
    tasks.add_argument(
        "--generation-seconds", default="8-15", metavar="S|S-S", help="processing for (default: %(default)s)"
    )
    tasks.add_argument("--seed", type=int, default=0, help="of the jitter inside a range (default: %(default)s)")
    account.add_argument(
        "--clock-offset-seconds",
        type=float,
        default=0.0,
        metavar="S",
        help="how far its clock is ahead of this machine's (default: %(default)s)",
    )
    tasks.add_argument("--state", metavar="FILE", help="keep accepted tasks in this SQLite file over a restart")
    tasks.add_argument("--ffmpeg", metavar="FILE", help="ffmpeg that draws the clips")
    tasks.add_argument("--max-render-height", type=int, metavar="PIXELS", help="draw smaller clips, to save time")
    parser.add_argument(
        "--log-level", choices=("debug", "info", "warning", "error"), default="info", help="default: %(default)s"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run until interrupted."""
    import json
    import logging
    import time

    from rich.logging import RichHandler

    from airflow_provider_klingvideo.cli.console import PlainConsole
    from airflow_provider_klingvideo.sandbox import SandboxServer

    settings = _settings(arguments)
    _require_readable(settings.state)
    logging.basicConfig(level=arguments.log_level.upper(), format="%(message)s", handlers=[RichHandler()])
    logging.getLogger("httpx").setLevel(logging.WARNING)
    offset = arguments.clock_offset_seconds
    server = SandboxServer(settings, host=arguments.host, port=arguments.port, clock=lambda: time.time() + offset)
    server.listen()
    console = PlainConsole()
    console.print(_greeting(server.url, settings))
    connection = json.dumps({"conn_type": "klingai", "host": server.url, "password": settings.api_key})
    console.print("Point Airflow at it with:")
    console.print(f"export AIRFLOW_CONN_KLINGAI_DEFAULT='{connection}'", soft_wrap=True)
    if arguments.host not in {"127.0.0.1", "localhost"}:
        console.print(
            f"Warning: {arguments.host} can be reached from other machines, "
            "and nothing protects the pages under /sandbox.",
            style="bold red",
        )
    server.run()
    return 0


def _settings(arguments: argparse.Namespace) -> SandboxSettings:
    from pydantic import ValidationError

    from airflow_provider_klingvideo.errors import KlingVideoError
    from airflow_provider_klingvideo.sandbox import SandboxSettings
    from airflow_provider_klingvideo.validation import faults_of

    values: dict[str, Any] = {
        name: getattr(arguments, name)
        for name in ("region", "slots", "balance", "payment", "credit", "discount", *_TIMING)
    }
    values |= {name: value for name in _OPTIONAL_SETTINGS if (value := getattr(arguments, name)) is not None}
    try:
        return SandboxSettings(**values)
    except ValidationError as error:
        faults = faults_of(error, SandboxSettings, whole="the sandbox")
        named = [replace(one, where=f"--{one.where.replace('_', '-')}") for one in faults]
        raise KlingVideoError(named, advice="See klingvideo sandbox --help") from None


def _require_readable(state: Path | None) -> None:
    """Raise what SQLite says of a file that it cannot use: once the server starts, it is a page of its log."""
    import sqlite3
    from contextlib import closing

    if state is not None:
        with closing(sqlite3.connect(state)) as database:
            database.execute("PRAGMA schema_version")


def _greeting(url: str, settings: SandboxSettings) -> Any:
    from rich.panel import Panel
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    rows = {
        "Address": url,
        "Page": f"{url}/sandbox",
        "Region": settings.region,
        "API key": settings.api_key,
        "Access key": settings.access_key,
        "Secret key": settings.secret_key,
        "State": str(settings.state or "in memory"),
    }
    for name, value in rows.items():
        table.add_row(name, value)
    return Panel(table, title="SANDBOX of the Kling API: nothing here costs money", border_style="yellow")
