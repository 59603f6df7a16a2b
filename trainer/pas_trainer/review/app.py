"""The page's server: it sends answers without the names of their arms, and keeps each mark before it says so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from .access import Headers, Token
from .store import Store, Task

_PAGE = Path(__file__).parent / "page"
_MAX_BODY = 16_384
_MAX_NAME = 60
# Answers are foreign text: no HTML of theirs, and no images, which would tell others that they were read.
_markdown = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).disable("image")


def make_app(store: Store, *, token: str = "", local: bool = True) -> Starlette:
    """Return the application; a token, where given, must come with the first request as `?token=`.

    `local` refuses requests under another name than this machine's, so that no page elsewhere can reach it by one.
    """
    middleware = [Middleware(Headers)]
    if local:
        middleware.append(Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost", "[::1]"]))
    if token:
        middleware.append(Middleware(Token, token=token))
    routes = [
        Route("/", lambda request: FileResponse(_PAGE / "index.html")),
        Route("/api/review", _review),
        Route("/api/tasks/{number:int}", _task, methods=["GET"]),
        Route("/api/tasks/{number:int}", _mark, methods=["PUT"]),
        Mount("/page", StaticFiles(directory=_PAGE)),
    ]
    app = Starlette(routes=routes, middleware=middleware)
    app.state.store = store
    return app


def _review(request: Request) -> Response:
    """Tell what this review is, and which tasks the reviewer has finished."""
    store: Store = request.app.state.store
    plan = store.plan
    done = store.done(_reviewer(request))
    return JSONResponse({"id": store.id, "mode": plan.mode, "scale": plan.scale, "total": store.total, "done": done})


def _task(request: Request) -> Response:
    """Send one task as its reviewer sees it."""
    store: Store = request.app.state.store
    reviewer = _reviewer(request)
    task = _found(store, request)
    order, given = store.shown(task, reviewer), store.marks_of(task, reviewer)
    texts = [task.item.arms[arm] for arm in order]
    return JSONResponse(
        {
            "number": task.number,
            "category": task.item.category,
            "prompt": task.item.prompt,
            "answers": [{"text": text, "html": _markdown.render(text)} for text in texts],
            "marks": _as_shown(store, order, given),
            "passed": bool(given) and all(value is None for value in given.values()),
        }
    )


async def _mark(request: Request) -> Response:
    """Keep the marks of a task, in the order of its answers; nulls are still to come, `pass` passes it over."""
    store: Store = request.app.state.store
    reviewer = _reviewer(request)
    body = await _body(request)
    return await run_in_threadpool(_kept, store, _found(store, request), reviewer, body)


def _kept(store: Store, task: Task, reviewer: str, body: dict[str, Any]) -> Response:
    order = store.shown(task, reviewer)
    passed, marks = body.get("pass", False) is True, body.get("marks")
    length = len(order) if store.plan.mode == "grade" else 1
    low, high = (1, store.plan.scale) if store.plan.mode == "grade" else (-1, 1)
    if not passed and not (
        isinstance(marks, list) and len(marks) == length and all(_fits(m, low, high) for m in marks)
    ):
        raise HTTPException(422, f"marks must be {length} of {low} to {high}, or null")
    store.mark(task, reviewer, _by_arm(store, order, None if passed else marks))
    return JSONResponse({"done": store.done(reviewer)})


def _by_arm(store: Store, order: list[str], marks: list[int | None] | None) -> list[tuple[str, int | None]]:
    """Return what is to be kept by arm; without marks, that the task was passed over."""
    graded = store.plan.mode == "grade"
    arms = order if graded else [arm for arm in order if arm != store.plan.baseline]
    if marks is None:
        return [(arm, None) for arm in arms]
    if graded:
        return [(arm, mark) for arm, mark in zip(arms, marks, strict=True) if mark is not None]
    # The reviewer speaks of the first answer shown; what is kept speaks of the arm.
    sign = 1 if order[0] == arms[0] else -1
    return [(arms[0], sign * mark) for mark in marks if mark is not None]


def _as_shown(store: Store, order: list[str], given: dict[str, int | None]) -> list[int | None]:
    if store.plan.mode == "grade":
        return [given.get(arm) for arm in order]
    mark = next(iter(given.values()), None)
    return [mark if mark is None or order[0] in given else -mark]


def _fits(mark: object, low: int, high: int) -> bool:
    return mark is None or (type(mark) is int and low <= mark <= high)


def _reviewer(request: Request) -> str:
    name = " ".join(request.query_params.get("reviewer", "").split())
    if not 0 < len(name) <= _MAX_NAME or not name.isprintable():
        raise HTTPException(422, f"reviewer must be a name of 1 to {_MAX_NAME} characters")
    return name


def _found(store: Store, request: Request) -> Task:
    try:
        return store.task(request.path_params["number"])
    except (KeyError, OverflowError) as error:
        raise HTTPException(404, "there is no such task") from error


async def _body(request: Request) -> dict[str, Any]:
    # Another site's page can send a form without asking first, but no JSON.
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise HTTPException(415, "send application/json")
    received = b""
    async for chunk in request.stream():
        received += chunk
        if len(received) > _MAX_BODY:
            raise HTTPException(413, f"send at most {_MAX_BODY} bytes")
    try:
        body = json.loads(received)
    except ValueError as error:
        raise HTTPException(400, "send JSON") from error
    if not isinstance(body, dict):
        raise HTTPException(422, "send an object")
    return body
