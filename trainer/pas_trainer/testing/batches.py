"""`/v1/files` and `/v1/batches`: a batch is done after some polls; its lines come back in another order."""

from __future__ import annotations

import email.message
import email.parser
import json
import threading
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .faults import ERRORS

if TYPE_CHECKING:
    from .server import ScriptedServer


class Batches:
    """Files and batches in memory."""

    def __init__(self, server: ScriptedServer) -> None:
        self._server = server
        self._lock = threading.Lock()
        self.files: dict[str, bytes] = {}
        self.made: dict[str, dict[str, Any]] = {}

    def routes(self) -> list[Route]:
        """Return what is served."""
        return [
            Route("/v1/files", self._upload, methods=["POST"]),
            Route("/v1/files/{id}/content", self._download),
            Route("/v1/batches", self._create, methods=["POST"]),
            Route("/v1/batches", self._list, methods=["GET"]),
            Route("/v1/batches/{id}", self._poll),
        ]

    def _keep(self, content: bytes) -> str:
        with self._lock:
            name = f"file-{len(self.files)}"
            self.files[name] = content
        return name

    async def _upload(self, request: Request) -> Response:
        if refused := self._server.refusal_of(request):
            return refused
        name = self._keep(_file_of(request.headers["content-type"], await request.body()))
        return JSONResponse(
            {"id": name, "object": "file", "bytes": 0, "created_at": 0, "filename": name, "purpose": "batch"}
            | {"status": "processed"}
        )

    async def _download(self, request: Request) -> Response:
        content = self.files.get(request.path_params["id"])
        return Response(status_code=404) if content is None else Response(content, media_type="application/jsonl")

    async def _create(self, request: Request) -> Response:
        if refused := self._server.refusal_of(request):
            return refused
        body = await request.json()
        with self._lock:
            batch = {
                "id": f"batch-{len(self.made)}",
                "object": "batch",
                "endpoint": body["endpoint"],
                "completion_window": body["completion_window"],
                "input_file_id": body["input_file_id"],
                "metadata": body.get("metadata"),
                "created_at": 0,
                "status": "in_progress",
            }
            self.made[batch["id"]] = batch | {"polls": self._server.polls}
        return JSONResponse(batch)

    async def _list(self, _: Request) -> Response:
        return JSONResponse({"object": "list", "data": list(self.made.values()), "has_more": False})

    async def _poll(self, request: Request) -> Response:
        batch = self.made.get(request.path_params["id"])
        if batch is None:
            return Response(status_code=404)
        if batch["status"] == "in_progress":
            if batch["polls"] <= 0:
                self._complete(batch)
            batch["polls"] -= 1
        return JSONResponse(batch)

    def _complete(self, batch: dict[str, Any]) -> None:
        lines = [json.loads(line) for line in self.files[batch["input_file_id"]].decode().split("\n") if line]
        outcomes = [self._answer(line) for line in reversed(lines)]
        good = [line for line in outcomes if line["error"] is None]
        bad = [line for line in outcomes if line["error"] is not None]
        batch |= {"status": "completed", "output_file_id": self._keep(_jsonl(good))}
        if bad:
            batch["error_file_id"] = self._keep(_jsonl(bad))
        batch["request_counts"] = {"total": len(lines), "completed": len(good), "failed": len(bad)}

    def _answer(self, line: dict[str, Any]) -> dict[str, Any]:
        from .server import completion_of

        body = line["body"]
        fault = self._server.note(body)
        head = {"id": line["custom_id"], "custom_id": line["custom_id"]}
        if fault in (*ERRORS, "timeout", "html"):
            return head | {"response": None, "error": {"code": "batch_expired", "message": "It was not run in time."}}
        completion = completion_of(body, "" if fault else self._server.answering(body), fault)
        return head | {"response": {"status_code": 200, "request_id": "", "body": completion}, "error": None}


def _jsonl(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def _file_of(content_type: str, body: bytes) -> bytes:
    """Return the file of a multipart form."""
    whole = email.parser.BytesParser().parsebytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
    for part in whole.walk():
        if part.get_param("name", header="content-disposition") == "file":
            content = part.get_payload(decode=True)
            return content if isinstance(content, bytes) else b""
    return b""
