"""`pas review`: people grade or compare answers, blind, on a local page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from pas_middleware.errors import ConfigError

from .items import DIFFERENCES, read_items
from .plan import Mode, make_plan
from .results import results
from .serving import address, bind, is_local, server
from .store import NAME, Store, beside
from .table import markdown

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(name="review")
def review_command(
    folder: Annotated[
        Path, typer.Argument(help="The review's folder; or one of `pas eval`, whose review lies beside it.")
    ],
    items: Annotated[
        Path | None, typer.Option(help="What to review: JSON Lines {id, prompt, category, arms}, or an evaluation.")
    ] = None,
    mode: Annotated[Mode | None, typer.Option(help="grade each answer, or compare two; default: compare.")] = None,
    baseline: Annotated[
        str | None, typer.Option(help="The arm to compare with; default: none, else the first.")
    ] = None,
    scale: Annotated[int | None, typer.Option(min=2, max=9, help="The best grade, 1 is the worst; default: 5.")] = None,
    usable: Annotated[
        int | None, typer.Option(help="The least grade of an available answer; default: the middle.")
    ] = None,
    sample: Annotated[int | None, typer.Option(min=1, help="Review so many of the items; default: all.")] = None,
    seed: Annotated[int | None, typer.Option(help="The order of the items; default: 0.")] = None,
    host: Annotated[
        str, typer.Option(help="Where to listen; other than this machine, a token is asked for.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0: any that is free.")] = 8770,
    show: Annotated[bool, typer.Option("--results", help="Print the results so far instead of serving.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --results: one JSON object, for programs.")] = False,
) -> None:
    """Serve a page on which people grade or compare answers, blind and shuffled, and print what it comes to.

    Examples:
      pas review review/ --items items.jsonl --mode grade

      pas review runs/june --sample 200

      pas review runs/june --results

    """
    if as_json and not show:
        raise ConfigError("--json is for results;", hint="add --results.")
    if (folder / DIFFERENCES).is_file():
        folder, items = beside(folder), items or (None if (beside(folder) / NAME).exists() else folder)
    if show:
        found = results(Store.open(folder))
        typer.echo(json.dumps(found.as_json(), indent=1, ensure_ascii=False) if as_json else markdown(found), nl=False)
        return
    given = {"mode": mode, "baseline": baseline, "scale": scale, "usable": usable, "seed": seed}
    chosen = {name: value for name, value in given.items() if value is not None}
    if (folder / NAME).exists():
        store = _continued(folder, chosen | {n: v for n, v in (("items", items), ("sample", sample)) if v is not None})
    else:
        store = _started(folder, items, sample or 0, chosen)
    _serve(store, host, port)


def _continued(folder: Path, chosen: dict[str, Any]) -> Store:
    """Open the folder's review; what it is was fixed when it was started."""
    store = Store.open(folder)
    if changed := [name for name, value in chosen.items() if value != getattr(store.plan, name, None)]:
        raise ConfigError(
            f"{folder} already has a review, and {', '.join(changed)} cannot change;",
            hint="leave the option out to go on with it, or start another in a new folder.",
        )
    return store


def _started(folder: Path, items: Path | None, sample: int, chosen: dict[str, Any]) -> Store:
    if folder.is_file():
        raise ConfigError(
            f"{folder} is a file;", hint=f"name a folder for the review: pas review DIR --items {folder}."
        )
    if items is None:
        raise ConfigError(f"{folder} has no review;", hint="start one with --items FILE.")
    read = read_items(items, sample)
    plan = make_plan(
        list(read.items[0].arms),
        source=read.source,
        identical=read.identical,
        incomplete=read.incomplete,
        **chosen,
    )
    return Store.create(folder, plan, read.items)


def _serve(store: Store, host: str, port: int) -> None:
    local = is_local(host)
    token = "" if local else store.plan.token
    taken = bind(host, port)
    plan = store.plan
    typer.echo(f"{store.total} screens, mode {plan.mode}, arms {', '.join(plan.arms)}.", err=True)
    if plan.identical or plan.incomplete:
        typer.echo(
            f"Left out: {plan.identical} with the same answer in all arms, {plan.incomplete} lacking an arm.", err=True
        )
    typer.echo(f"Open {address(taken, host, token)}  (stop with Ctrl-C; every mark is kept at once)", err=True)
    try:
        server(store, token=token, local=local).run(sockets=[taken])
    except KeyboardInterrupt:  # uvicorn stops cleanly, then raises what it was stopped with
        pass
    finally:
        store.close()
