"""`pas serve`: the proxy as a process, or as several that share a port."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import signal
import tempfile
import threading
from collections.abc import Callable
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path
from socket import IPPROTO_TCP, TCP_NODELAY, socket
from typing import Annotated

import typer
import uvicorn
from uvicorn.supervisors import Multiprocess, multiprocess

from ..cli.inputs import DeviceOption, ModelOption
from ..errors import ConfigError
from ..models.directory import open_directory
from ..pas import PAS
from ..record import Record
from ..settings import OnError, Settings
from .app import Proxy
from .config import ProxyConfig, Secret
from .metrics import SHARED

app = typer.Typer(add_completion=False)
#: Where the operator's keys come from: not from the command line, which every user of the machine can read.
UPSTREAM_KEY, CLIENT_KEYS = "PAS_UPSTREAM_KEY", "PAS_CLIENT_KEYS"
#: Turns of asyncio's loop from an accepted socket to its protocol: four, and as many to spare.
_TURNS_TO_ACCEPT = 8


@app.command()
def serve(
    upstream: Annotated[str, typer.Option(help="Base URL of the API behind, such as https://api.openai.com/v1.")],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port to listen on; 0 for any free one.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes that share the port.")] = 1,
    model: ModelOption = None,
    device: DeviceOption = "auto",
    deadline_ms: Annotated[float | None, typer.Option(help="Milliseconds for a complement.")] = None,
    on_error: Annotated[
        str, typer.Option(help="passthrough, or raise: 503 where an augmentation fails.")
    ] = "passthrough",
    sample_rate: Annotated[float, typer.Option(help="Share of prompts that is augmented.")] = 1.0,
    shadow: Annotated[bool, typer.Option("--shadow", help="Compute and record, apply nothing.")] = False,
    log: Annotated[str | None, typer.Option(help="Record in this file: .jsonl, .sqlite or .db.")] = None,
    log_texts: Annotated[bool, typer.Option("--log-texts", help="Record what users wrote, too.")] = False,
    page: Annotated[bool, typer.Option("--page", help="Serve the web page at /.")] = False,
    grace_s: Annotated[int, typer.Option(min=0, help="Seconds for what is under way when it is stopped.")] = 30,
) -> None:
    """Put PAS in front of any OpenAI-compatible or Anthropic API: point your client's base URL at it.

    Keys pass through as your clients send them. With PAS_UPSTREAM_KEY in the environment that key takes their place;
    with PAS_CLIENT_KEYS (separated by commas) clients must present one of these.

    Example:
      pas serve --upstream https://api.openai.com/v1

    """
    keys = tuple(Secret(key) for key in os.environ.get(CLIENT_KEYS, "").split(",") if key)
    config = ProxyConfig(upstream, Secret(os.environ.get(UPSTREAM_KEY, "")), keys, page=page)
    if config.upstream_key and not keys and host not in ("127.0.0.1", "::1", "localhost"):
        raise ConfigError(
            f"{UPSTREAM_KEY} is set and --host is {host!r}: whoever reaches it would spend your key;",
            hint=f"set {CLIENT_KEYS} too.",
        )
    settings = Settings(
        deadline_ms=deadline_ms, on_error=_on_error(on_error), sample_rate=sample_rate, shadow=shadow, cache_entries=0
    )
    _check(model, device, settings, log)
    build_one = partial(build, config, partial(PAS.load, model, device=device, settings=settings), log, log_texts)
    run(build_one, host, port, workers, grace_s, upstream)


def build(config: ProxyConfig, load: Callable[[], PAS], log: str | None, log_texts: bool) -> Proxy:
    """Return the proxy of one worker, which stops as if it were told to once the process that started it is gone."""
    if (parent := multiprocessing.parent_process()) is not None:
        threading.Thread(target=_follow, args=(parent,), name="pas-parent", daemon=True).start()
    return Proxy(config, load, Record(log, texts=log_texts) if log else None)


def _follow(parent: BaseProcess) -> None:
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)


def _check(model: str | None, device: str, settings: Settings, log: str | None) -> None:
    """Find out what cannot work before a port is opened: the model, its runtime, the record's path."""
    if log:
        Record(log).close()
    folder = Path(model) if model else None
    if folder is None or open_directory(folder).kind == "selector":
        PAS.load(folder, device=device, settings=settings).close()


def _on_error(value: str) -> OnError:
    if value == "raise":
        return "raise"
    if value == "passthrough":
        return "passthrough"
    raise ConfigError(f"--on-error is {value!r};", hint="use passthrough or raise.")


def run(build_one: Callable[[], Proxy], host: str, port: int, workers: int, grace_s: int, upstream: str) -> None:
    """Serve until a signal says stop; what is under way then has `grace_s` seconds."""
    config = uvicorn.Config(
        build_one,
        factory=True,
        host=host,
        port=port,
        workers=workers,
        http="h11",  # what was tested against hostile requests, whatever else is installed
        loop="asyncio",
        ws="none",
        access_log=False,  # paths can hold keys
        log_level="warning",
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,  # longer than clients keep theirs, or some would send into a closing connection
        timeout_graceful_shutdown=grace_s,
    )
    try:
        listener = config.bind_socket()
        # Inherited by what is accepted; without it a head and its body, sent apart, are 40 ms apart.
        listener.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
    except SystemExit:
        raise ConfigError(f"Port {port} of {host} cannot be opened;", hint="choose another with --port.") from None
    address = f"http://{host}:{listener.getsockname()[1]}"
    typer.echo(f"pas: {address} in front of {upstream}, {workers} worker{'s' * (workers > 1)}", err=True)
    # uvicorn raises the signal that stopped it again; a stop that was asked for is no failure.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    if workers == 1:
        _Server(config).run([listener])
        return
    with tempfile.TemporaryDirectory(prefix="pas-metrics-") as folder:
        os.environ[SHARED] = folder
        _Supervisor(config, [listener]).run()


class _Server(uvicorn.Server):
    """Stops without overlooking a connection that is accepted in that moment.

    Overlooked, it would be kept open for more requests until the end of the grace, and be cut then.
    """

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """Let in who is at the door, then have every connection end after the request it is at."""
        loop = asyncio.get_running_loop()
        for each in (each for server in self.servers for each in server.sockets):
            with contextlib.suppress(NotImplementedError):  # Windows
                loop.remove_reader(each.fileno())  # not closed yet: asyncio would drop what it has accepted
        for _ in range(_TURNS_TO_ACCEPT):
            await asyncio.sleep(0)
        await super().shutdown(sockets)


# The supervisor has no other place to say which server its workers run; it is read in the workers, too.
multiprocess.Server = _Server  # type: ignore[attr-defined]


class _Supervisor(Multiprocess):
    """Starts workers anew when they die, and stops them all."""

    def terminate_all(self) -> None:
        """Tell the workers to stop; nobody is let in any more."""
        # Open here, the port would go on taking connections while the workers end, and drop them in the end.
        for listener in self.sockets:
            listener.close()
        super().terminate_all()
