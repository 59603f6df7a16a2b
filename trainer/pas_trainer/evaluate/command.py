"""`pas eval`: does PAS help this LLM, on the public benchmarks and on one's own prompts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from pas_middleware.errors import ConfigError

from ..llm import Budget, Client, Endpoint, Store
from . import published, scoring
from .benchmarks import read_benchmarks
from .evaluation import evaluate
from .from_log import LOGGED, from_log
from .intrinsic import intrinsic
from .layouts import rows_of
from .plan import Plan
from .pricing import price
from .rubric import items, judge_complements
from .table import costs, effects, regressions

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, invoke_without_command=True)
#: Configurations that come with the package.
READY = Path(__file__).parent / "data"

Target = Annotated[str, typer.Option(help="The LLM to be helped, where there is no --config.")]
Judge = Annotated[str, typer.Option(help="The LLM that judges, where there is no --config.")]
Url = Annotated[str, typer.Option(help="The OpenAI-compatible endpoint of both.")]
Key = Annotated[str, typer.Option(help="The environment variable that holds its key.")]
Out = Annotated[Path, typer.Option(help="The folder of the run.")]
Most = Annotated[float | None, typer.Option(min=0, help="Stop before more than this is spent, in USD.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object, for programs.")]
#: The default of --base-url.
OPENAI = "https://api.openai.com/v1"


@app.callback()
def eval_command(
    context: typer.Context,
    config: Annotated[str, typer.Option(help="A YAML file, or `paper` for the paper's main table.")] = "",
    data: Annotated[
        Path | None, typer.Option(help="The folder of the configuration's paths; default: its own.")
    ] = None,
    own: Annotated[Path | None, typer.Option(help="Your own prompts, as JSON Lines with `prompt`.")] = None,
    log: Annotated[
        Path | None, typer.Option("--from-log", help="A record of the middleware, written with texts.")
    ] = None,
    target: Target = "",
    judge: Judge = "",
    base_url: Url = OPENAI,
    key_env: Key = "OPENAI_API_KEY",
    model: Annotated[list[Path] | None, typer.Option(help="A PAS model directory as a further arm; repeat.")] = None,
    out: Out = Path("runs/eval"),
    max_usd: Most = None,
    limit: Annotated[int, typer.Option(min=0, help="Only so many questions of each benchmark; 0: all.")] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what it would take, and ask nothing.")] = False,
    redo: Annotated[bool, typer.Option("--redo", help="Begin the folder anew; what was paid for is kept.")] = False,
    as_json: AsJson = False,
) -> None:
    """Tell whether PAS helps an LLM: arms side by side, the same questions, the same judge, both orders.

    Answers and verdicts that were paid for are never asked for again.

    Examples:
      pas eval --own prompts.jsonl --target gpt-4.1-mini --judge gpt-4.1 --dry-run

      pas eval --config paper --data benchmarks --out runs/paper --max-usd 500

      pas eval --from-log pas.jsonl --target gpt-4.1-mini --judge gpt-4.1

    """
    if context.invoked_subcommand is not None:
        return
    content, folder = _content(config, data, {"target": target, "judge": judge, "url": base_url, "key": key_env})
    for path in model or ():
        content["arms"] = content.get("arms", {}) | {path.name: {"kind": "pas", "model": str(path.resolve())}}
    logged = _questions(content, own, log, out)
    plan = Plan.parse(content, folder).limited(limit)
    if dry_run:
        _price(plan, as_json)
        return
    scores = evaluate(plan, out, max_usd=max_usd, redo=redo, logged=logged)
    if as_json:
        typer.echo(json.dumps(scores, ensure_ascii=False))
        return
    console = Console()
    for shown in (effects(scores), costs(scores), regressions(scores)):
        console.print(shown)
    console.print(f"{out}: {scores['spend']['calls']:,} calls, {scores['spend']['usd']:.2f} USD; `pas report {out}`")


@app.command()
def check(folder: Annotated[Path, typer.Argument(help="The raw judgements of published leaderboards.")]) -> None:
    """Print our scores beside the published ones, from the same raw judgements."""
    published.main(folder)


@app.command()
def score(
    files: Annotated[
        list[Path], typer.Argument(help="Arena-Hard's model_judgment/…/*.jsonl, or one annotations.json.")
    ],
    answers: Annotated[Path | None, typer.Option(help="The folder model_answer, for style control.")] = None,
    baseline: Annotated[str, typer.Option(help="The baseline's name in that folder.")] = "",
    controls: Annotated[Path | None, typer.Option(help="AlpacaEval's df_gamed.csv.")] = None,
) -> None:
    """Score judgements that were made elsewhere, in upstream's layouts; prints JSON.

    Examples:
      pas eval score model_judgment/gpt-4.1/*.jsonl --answers model_answer --baseline o3-mini-2025-01-31

      pas eval score annotations.json --controls df_gamed.csv

    """
    if answers is not None and not baseline:
        raise ConfigError("No baseline is named;", hint="give --baseline with --answers.")
    if files[0].suffix == ".json":
        found: Any = {str(file): scoring.alpaca_eval(file, controls) for file in files}
    else:
        found = scoring.arena_hard(files, answers, baseline)
    typer.echo(json.dumps(found, indent=1))


@app.command(name="intrinsic")
def intrinsic_command(
    file: Annotated[Path, typer.Argument(help="JSON Lines with `prompt` and `complement`.")],
    judge: Judge = "",
    base_url: Url = OPENAI,
    key_env: Key = "OPENAI_API_KEY",
    out: Out = Path("runs/intrinsic"),
    max_usd: Most = None,
    usd_in: Annotated[float, typer.Option(min=0, help="USD per million tokens that the judge reads.")] = 0.0,
    usd_out: Annotated[float, typer.Option(min=0, help="USD per million tokens that it writes.")] = 0.0,
) -> None:
    """Score a set of complements: without any LLM, and with --judge on the rubric beside a static suffix."""
    rows = _complements(file)
    found: dict[str, Any] = intrinsic(rows).to_dict()
    if judge:
        endpoint = Endpoint(
            judge, base_url, key_env, usd_per_million_input=usd_in, usd_per_million_output=usd_out, max_tokens=1024
        )
        out.mkdir(parents=True, exist_ok=True)
        with Store(out / "answers.sqlite") as store:
            budget = Budget(store, max_usd)
            found["judged"] = judge_complements(Client(endpoint, store, budget), items(rows), budget)
    typer.echo(json.dumps(found, indent=1))


def _complements(file: Path) -> list[dict[str, Any]]:
    rows = rows_of(file)
    for number, row in enumerate(rows, 1):
        if not isinstance(row.get("prompt"), str) or not isinstance(row.get("complement"), str):
            raise ConfigError(f"{file}, row {number}: no prompt or no complement;", hint='give both, "" for nothing.')
    return rows


def _content(config: str, data: Path | None, asked: dict[str, str]) -> tuple[dict[str, Any], Path]:
    """Return the configuration's content and the folder of its paths."""
    if config:
        path = Path(config) if Path(config).suffix else READY / f"{config}.yaml"
        folder = data or (Path() if path.parent == READY else path.parent)
        return Plan.content(path), folder
    if not (asked["target"] and asked["judge"]):
        raise ConfigError("No target or no judge is named;", hint="give --target and --judge, or --config.")
    server = {"base_url": asked["url"], "key_env": asked["key"]}
    return {
        "name": asked["target"],
        "targets": {asked["target"]: server | {"model": asked["target"], "max_tokens": 2048}},
        "judge": server | {"model": asked["judge"], "max_tokens": 2048},
        "arms": {"suffix": {"kind": "suffix"}, "pas-mini": {"kind": "pas"}},
    }, data or Path()


def _questions(content: dict[str, Any], own: Path | None, log: Path | None, out: Path) -> dict[str, str]:
    """Put one's own questions in place of the configuration's; return the complements of a record."""
    if own is not None and log is not None:
        raise ConfigError("Both --own and --from-log are given;", hint="evaluate one after the other.")
    if log is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        own = out.with_name(f"{out.name}.prompts.jsonl")
        logged = from_log(log, own)
        content["arms"] = content.get("arms", {}) | {LOGGED: {"kind": "logged"}}
    if own is not None:
        content["benchmarks"] = {"own": {"kind": "own", "questions": str(own.resolve())}}
    elif not content.get("benchmarks"):
        raise ConfigError("There is no question;", hint="give --own prompts.jsonl, --from-log or --config.")
    return logged if log is not None else {}


def _price(plan: Plan, as_json: bool) -> None:
    rows = price(plan, read_benchmarks(plan)).rows()
    if as_json:
        typer.echo(json.dumps({name: {"calls": e.calls, "usd": e.usd} for name, e in rows}))
        return
    for name, estimate in rows:
        typer.echo(f"{name}: {estimate}")
