"""Requests byte for byte over a socket, as no HTTP client would send them."""

import io
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from http_servers import PROMPT

CHAT = "/v1/chat/completions"
GOOD = json.dumps({"messages": [{"role": "user", "content": PROMPT}]}).encode()
JSON = b"content-type: application/json\r\n"


def post(body: bytes, headers: bytes = JSON, path: bytes = CHAT.encode()) -> bytes:
    length = b"content-length: %d\r\n" % len(body)
    return b"POST " + path + b" HTTP/1.1\r\nhost: x\r\nconnection: close\r\n" + headers + length + b"\r\n" + body


def exchange(url: str, raw: bytes, patience: float = 30, *, whole: bool = True) -> bytes:
    """Send bytes and return what comes back until the other end hangs up, or only the first of it."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=patience) as connection:
        received = io.BytesIO()
        try:
            connection.sendall(raw)
            while piece := connection.recv(65_536):
                received.write(piece)
                if not whole:
                    break
        except OSError:  # it hung up on us, or waits for the rest that never comes
            pass
        return received.getvalue()


@contextmanager
def answering(raw: bytes) -> Iterator[tuple[str, list[int]]]:
    """Answer every connection with these bytes and hang up; give the address and what was asked."""
    asked: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    asked.append(len(connection.recv(65_536)))
                    connection.sendall(raw)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", asked
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
