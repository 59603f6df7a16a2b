"""Run the scripted server: python -m pas_trainer.testing [--port 8377] [--fault rate_limit:200]."""

from __future__ import annotations

from typing import Annotated

import typer
import uvicorn

from .faults import Faults
from .golden import golden
from .server import ScriptedServer


def main(
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = 8377,
    fault: Annotated[list[str] | None, typer.Option(help="rate_limit:200 or timeout:5%, for example; repeat.")] = None,
    key: Annotated[str, typer.Option(help="The only key that is let in; default: any.")] = "",
    model: Annotated[list[str] | None, typer.Option(help="A model that it knows; repeat. Default: scripted.")] = None,
    retry_after: Annotated[float, typer.Option(min=0, help="Seconds that a 429 or 503 asks to wait.")] = 1.0,
) -> None:
    """Serve the OpenAI protocol on loopback, with answers from the project's own pairs and faults on request."""
    faults = [Faults.parse(text) for text in fault or ()]
    server = ScriptedServer(golden, faults, key=key, models=tuple(model or ("scripted",)), retry_after_s=retry_after)
    typer.echo(f"http://127.0.0.1:{port}/v1 (counts at /stats)")
    uvicorn.run(server.app(), host="127.0.0.1", port=port, log_level="warning", lifespan="off")


if __name__ == "__main__":
    typer.run(main)
