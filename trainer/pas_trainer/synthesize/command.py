"""`pas synthesize`: complements for prompts; and how good a critic is."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from typer.core import TyperGroup

from pas_middleware.errors import ConfigError

from ..llm import Budget, Client, Store
from ..stages import Record
from . import measure
from .golden import GoldenSet
from .run import Means, estimate, synthesize
from .settings import Synthesis


class _RunByDefault(TyperGroup):
    """`pas synthesize PROMPTS …` is `pas synthesize run PROMPTS …`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the default subcommand in front of what is none."""
        if args and args[0] not in self.commands and args[0] not in ("--help", "-h"):
            args = ["run", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_RunByDefault,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Write a complement for each prompt: generated, judged, and where rejected generated again.",
    epilog="Try: pas synthesize run/curate/prompts.parquet --out run/synthesize --config synthesize.yaml --dry-run",
)
Config = Annotated[
    Path | None, typer.Option(help="YAML: generator, critic (each an endpoint), rounds, attempts, shots, golden.")
]
Model = Annotated[str, typer.Option(help="The generator's model; without --critic-model it judges, too.")]
CriticModel = Annotated[str, typer.Option(help="The critic's model.")]
BaseUrl = Annotated[str, typer.Option(help="Address of the endpoint, mostly ending in /v1.")]
KeyEnv = Annotated[str, typer.Option(help="The environment variable that holds the key.")]
Concurrency = Annotated[int | None, typer.Option(min=1, help="Calls at once.")]
MaxUsd = Annotated[
    float | None, typer.Option(min=0, help="Stop before more than this is spent, earlier runs included.")
]
PriceIn = Annotated[float | None, typer.Option(min=0, help="USD a million tokens read.")]
PriceOut = Annotated[float | None, typer.Option(min=0, help="USD a million tokens written.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def plan_of(config: Path | None, critic_model: str = "", rounds: int | None = None, **endpoint: Any) -> Synthesis:
    """Return the plan of a configuration file, with what the options say instead."""
    values = _yaml(config) if config is not None else {}
    given = {name: value for name, value in endpoint.items() if value not in (None, "")}
    if not values.get("generator") and "model" not in given:
        raise ConfigError("No model is named;", hint="give --model, or --config with a generator.")
    values["generator"] = _with(values.get("generator") or {}, given)
    if values.get("critic") is not None:
        values["critic"] = _with(values["critic"], {name: given[name] for name in given if name != "model"})
    if rounds is not None:
        values["rounds"] = rounds
    plan = Synthesis.parse(values)
    return replace(plan, critic=replace(plan.critic, model=critic_model)) if critic_model else plan


def _with(endpoint: Any, given: dict[str, Any]) -> Any:
    return {**endpoint, **given} if isinstance(endpoint, dict) else endpoint


def _yaml(file: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{file} cannot be read: {error}.") from None
    if not isinstance(found, dict):
        raise ConfigError(f"{file} holds no settings;", hint="write generator: {model: ..., base_url: ...}.")
    return found


@app.command(name="run")
def run_command(
    prompts: Annotated[Path, typer.Argument(help="prompts.parquet of pas curate, or JSON Lines with a prompt a row.")],
    out: Annotated[Path, typer.Option(help="The folder to write; the paid answers are kept beside it.")],
    config: Config = None,
    model: Model = "",
    critic_model: CriticModel = "",
    base_url: BaseUrl = "",
    key_env: KeyEnv = "",
    concurrency: Concurrency = None,
    max_usd: MaxUsd = None,
    price_in: PriceIn = None,
    price_out: PriceOut = None,
    rounds: Annotated[int | None, typer.Option(min=1, help="How often a complement may be written; default 3.")] = None,
    limit: Annotated[int, typer.Option(min=0, help="Only the first so many prompts.")] = 0,
    batch: Annotated[bool, typer.Option("--batch", help="Through the endpoint's Batch API.")] = False,
    batch_out: Annotated[Path | None, typer.Option(help="Write what is to be asked as request files here.")] = None,
    batch_in: Annotated[Path | None, typer.Option(help="Read answers from the .jsonl files here.")] = None,
    poll_s: Annotated[float, typer.Option(min=0, help="Seconds between looks at a batch.")] = 30.0,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what is left to ask and its cost; ask nothing.")
    ] = False,
    redo: Annotated[
        bool, typer.Option("--redo", help="Begin anew where the settings changed; paid answers stay.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write pairs.jsonl and rejected.jsonl. Run the same again after a stop: nothing is paid for twice.

    Examples:
      pas synthesize prompts.jsonl --out run/synthesize --model gpt-4.1-mini --price-in 0.4 --price-out 1.6 --max-usd 5

      pas synthesize prompts.jsonl --out run/synthesize --config synthesize.yaml --batch-out to-fill

    """
    plan = plan_of(
        config,
        critic_model,
        rounds,
        model=model,
        base_url=base_url,
        key_env=key_env,
        concurrency=concurrency,
        usd_per_million_input=price_in,
        usd_per_million_output=price_out,
    )
    plan = replace(plan, limit=limit or plan.limit)
    if dry_run:
        _print_estimate(estimate(plan, prompts, out), as_json)
        return
    means = Means(
        max_usd, batch, batch_out, batch_in, poll_s, quiet=as_json, say=lambda text: typer.echo(text, err=True)
    )
    record = synthesize(plan, prompts, out, means, redo=redo)
    typer.echo(json.dumps(_summary(record), ensure_ascii=False) if as_json else _lines(record, out))


@app.command(name="critic-report")
def critic_report(
    config: Config = None,
    model: Annotated[str, typer.Option(help="The critic's model, where there is no --config.")] = "",
    base_url: BaseUrl = "",
    key_env: KeyEnv = "",
    concurrency: Concurrency = None,
    max_usd: MaxUsd = None,
    price_in: PriceIn = None,
    price_out: PriceOut = None,
    labelled: Annotated[
        Path | None, typer.Option(help="JSON Lines with bad_complement, flaw, reason; default: the project's pairs.")
    ] = None,
    answers: Annotated[Path, typer.Option(help="Where the paid answers are kept.")] = Path("critic-answers.sqlite"),
    guard_alone: Annotated[
        bool, typer.Option("--guard-alone", help="Ask nobody: what the checks see that run before any paid judgement.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Measure the critic on labelled wrong complements and their right ones: precision, recall, confusion by flaw.

    Examples:
      pas synthesize critic-report --model gpt-4.1-mini --base-url https://api.openai.com/v1

      pas synthesize critic-report --guard-alone

    """
    if guard_alone:
        judged = measure.judge_unpaid(measure.cases(GoldenSet.read(), labelled))
        _print_measured("the guard alone", measure.figures(judged), as_json)
        return
    plan = plan_of(
        config,
        model=model,
        base_url=base_url,
        key_env=key_env,
        concurrency=concurrency,
        usd_per_million_input=price_in,
        usd_per_million_output=price_out,
    )
    golden = plan.golden_set()
    with Store(answers) as store, closing(Client(plan.critic, store, Budget(store, max_usd))) as critic:
        cases = measure.cases(golden, labelled)
        found = measure.figures(measure.judge(critic, golden, cases, shots=plan.shots, attempts=plan.attempts))
        found |= {"model": plan.critic.model, "usd": round(store.totals().usd, 6)}
    _print_measured(plan.critic.model, found, as_json)


def _print_measured(judge: str, found: dict[str, Any], as_json: bool) -> None:
    typer.echo(json.dumps(found, ensure_ascii=False) if as_json else f"{judge}\n\n{measure.table(found)}")


def _print_estimate(found: dict[str, Any], as_json: bool) -> None:
    least, most, spent = found["least"], found["most"], found["spent"]
    if as_json:
        shown = {name: {"calls": e.calls, "usd": round(e.usd, 6)} for name, e in (("least", least), ("most", most))}
        typer.echo(json.dumps({"prompts": found["prompts"], "open": found["open"], "spent_usd": spent.usd} | shown))
        return
    typer.echo(f"{found['prompts']:,} prompts, {found['open']:,} open; {spent.usd:,.2f} USD spent so far")
    typer.echo(f"every complement kept at once: {least}")
    typer.echo(f"none kept in any round:        {most}")


def _summary(record: Record) -> dict[str, Any]:
    return {"counts": record.counts, "rejected": record.rejected, "figures": record.figures, "usd": record.usd}


def _lines(record: Record, out: Path) -> str:
    counts, figures = record.counts, record.figures
    lines = [
        f"{out}: {counts['kept']} of {counts['prompts']} prompts kept, {counts['left_alone']} of them to be left alone",
        f"rounds: {_list(figures['rounds'])}",
        f"flaws found: {_list(figures['flaws'])}",
        f"dropped: {_list(record.rejected)}",
        f"{figures['calls']:,} calls, {figures['input_tokens']:,} tokens in, {figures['output_tokens']:,} out, "
        f"{record.usd:,.4f} USD",
    ]
    if figures["lost_calls"]:
        lines.append(
            f"{figures['lost_calls']} calls broke off and may be billed: {figures['lost_usd_at_most']} USD at most"
        )
    if figures["without_examples"]:
        lines.append(f"categories without golden examples: {_list(figures['without_examples'])}")
    return "\n".join(lines)


def _list(counts: Any) -> str:
    return ", ".join(f"{name or '-'} {count}" for name, count in counts.items()) or "none"
