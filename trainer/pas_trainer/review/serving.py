"""Serve a review until it is stopped."""

from __future__ import annotations

import ipaddress
import socket

import uvicorn

from pas_middleware.errors import ConfigError

from .app import make_app
from .store import Store


def is_local(host: str) -> bool:
    """Tell whether a host reaches this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def bind(host: str, port: int) -> socket.socket:
    """Take the port, 0 for any that is free, so that one in use is told before anything else."""
    taken: socket.socket | None = None
    try:
        family, kind, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        taken = socket.socket(family, kind)
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(place)
        taken.listen()
    except OSError as error:
        if taken is not None:
            taken.close()
        raise ConfigError(f"{host}:{port} cannot be used ({error.strerror});", hint="choose another --port.") from error
    return taken


def address(taken: socket.socket, host: str, token: str = "") -> str:
    """Return what a reviewer is to open."""
    shown = host if ":" not in host else f"[{host}]"
    if host in ("0.0.0.0", "::"):
        shown = socket.gethostname()
    return f"http://{shown}:{taken.getsockname()[1]}/" + (f"?token={token}" if token else "")


def server(store: Store, *, token: str = "", local: bool = True) -> uvicorn.Server:
    """Return the server of a review; it logs no addresses, since one of them holds the token."""
    app = make_app(store, token=token, local=local)
    return uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, server_header=False))
