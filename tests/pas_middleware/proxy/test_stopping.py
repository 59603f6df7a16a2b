"""How the server ends the connections that are there, or just coming, when it is told to stop."""

import asyncio
import socket

import uvicorn

from pas_middleware.proxy.command import _Server

ASK = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


async def _app(scope, receive, send) -> None:
    if scope["type"] == "lifespan":
        for name in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{name}.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body"})


async def test_a_connection_that_is_accepted_in_the_moment_of_the_stop_is_ended_too():
    config = uvicorn.Config(_app, port=0, http="h11", loop="asyncio", ws="none", log_level="error")
    config.load()
    server = _Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    address = server.servers[0].sockets[0].getsockname()

    with socket.create_connection(address) as late:  # the kernel lets it in, the loop has not seen it
        late.sendall(ASK)
        for _ in range(2):  # until it is accepted and has no protocol yet
            await asyncio.sleep(0)
        assert not server.server_state.connections
        async with asyncio.timeout(10):  # the grace is without end
            await server.shutdown()
        late.settimeout(5)
        assert late.recv(1_000).startswith(b"HTTP/1.1 200")
        assert late.recv(1_000) == b""
