"""`rasd health`: ask a running process how it fares."""

from __future__ import annotations

import http.client
from typing import Annotated

import typer

from pipeline.cli.context import put, settings
from pipeline.errors import RasdError

SECONDS = 3.0  # for one answer


def health(
    ctx: typer.Context,
    address: Annotated[
        str | None,
        typer.Argument(metavar="[ADDRESS]", help="HOST:PORT of the process, else the setting worker.health."),
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Only whether it goes on, not whether it takes work yet.")
    ] = False,
    metrics: Annotated[bool, typer.Option("--metrics", help="Print what it counts instead.")] = False,
) -> None:
    """Ask a running poller, fetcher, worker or sink whether it goes on and takes work.

    Exit code 0 if so, else 1: made for the health checks of containers.

    Examples:

      rasd health 127.0.0.1:8090

      rasd health 127.0.0.1:8090 --metrics
    """
    from pipeline.checks import listening

    at = address if address is not None else settings(ctx).worker.health
    if not at:
        raise typer.BadParameter("name one, or set worker.health", param_hint="ADDRESS")
    if fault := listening(at):
        raise typer.BadParameter(f"{at!r} {fault}", param_hint="ADDRESS")
    if metrics:
        put(asked(at, "/metrics").rstrip("\n"))
        return
    for path in ("/live",) if live else ("/live", "/ready"):
        said = asked(at, path)
    put(said.strip())


def asked(address: str, path: str) -> str:
    """What the process answers. Raises: RasdError if it is not reached, or says that it is not well."""
    from pipeline.runtimes.kafka.health import connecting

    host, port = connecting(address)
    connection = http.client.HTTPConnection(host, port, timeout=SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        text = answer.read(10_000_000).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as e:
        raise RasdError(
            f"nobody answers on {address}: {getattr(e, 'strerror', None) or e}", reason="not-reached"
        ) from e
    finally:
        connection.close()
    if answer.status != 200:
        raise RasdError(f"{address}{path}: {text.strip()[:200]}", reason="not-well")
    return text
