"""`pas curate`: from raw conversations to a balanced set of good prompts."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

from pas_middleware.errors import ConfigError

from ..llm import Endpoint
from ..mini.examples import DATA
from ..stages import Record
from .cleaning import Cleaning, Policy
from .engine import Name, engine_of
from .plan import dry_run
from .reading import Reading
from .run import Curation, Judging, Thresholds, curate

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
#: What `--demo` reads: the project's own prompts.
_DEMO = (DATA / "pairs.jsonl",)
_DEMO_COUNT = 300


@app.command(name="curate")
def curate_command(
    sources: Annotated[
        list[str] | None, typer.Argument(help="Files, folders (Parquet, JSONL, JSON, CSV), or hub:NAME.")
    ] = None,
    out: Annotated[Path, typer.Option(help="The folder to write; the same again goes on from what is there.")] = Path(
        "curated"
    ),
    count: Annotated[int | None, typer.Option(min=1, help="Prompts to select; default 9,000.")] = None,
    demo: Annotated[bool, typer.Option("--demo", help="Run on the project's own prompts; no endpoint.")] = False,
    column: Annotated[str | None, typer.Option(help="The column that holds prompts.")] = None,
    split: Annotated[str, typer.Option(help="Of a dataset on the hub.")] = "train",
    turns: Annotated[Literal["first", "all"], typer.Option(help="User turns, with their history.")] = "first",
    limit: Annotated[int | None, typer.Option(min=1, help="Rows to read of each source.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first row that cannot be read.")] = False,
    language: Annotated[list[str] | None, typer.Option(help="Kept languages, repeat; `any`; default en, zh.")] = None,
    min_chars: Annotated[int, typer.Option(help="A Han character counts as two.")] = 12,
    max_chars: Annotated[int, typer.Option(help="Longer prompts are removed.")] = 4000,
    unsafe: Annotated[Policy, typer.Option(help="Prompts that their corpus flags.")] = "drop",
    redacted: Annotated[Policy, typer.Option(help="Prompts with traces of masked names.")] = "drop",
    benchmark: Annotated[
        list[str] | None, typer.Option(help="A file whose prompts must not be kept, or hub:NAME; repeat.")
    ] = None,
    near: Annotated[float, typer.Option(min=0, max=1, help="Overlap of words that makes a copy.")] = 0.9,
    semantic: Annotated[float, typer.Option(min=0.7, max=1, help="Cosine that makes a copy.")] = 0.93,
    crowd: Annotated[float, typer.Option(min=0.7, max=1, help="Cosine that makes a cluster.")] = 0.8,
    per_cluster: Annotated[int, typer.Option(min=1, help="Prompts kept in a cluster.")] = 5,
    encoder: Annotated[str, typer.Option(help="A sentence-transformers model; default all-MiniLM-L6-v2.")] = "",
    judge: Annotated[str, typer.Option(help="Score by this model of an OpenAI-compatible endpoint.")] = "",
    judge_sample: Annotated[int, typer.Option(min=0, help="Score so many by it, and the rest as learnt from it.")] = 0,
    base_url: Annotated[str, typer.Option(help="The endpoint.")] = "https://api.openai.com/v1",
    key_env: Annotated[str, typer.Option(help="The environment variable that holds its key.")] = "OPENAI_API_KEY",
    concurrency: Annotated[int, typer.Option(min=1, help="Calls at once.")] = 8,
    usd_input: Annotated[float, typer.Option(min=0, help="USD for a million tokens in.")] = 0.0,
    usd_output: Annotated[float, typer.Option(min=0, help="USD for a million tokens out.")] = 0.0,
    max_usd: Annotated[float | None, typer.Option(min=0, help="Stop before more than this is spent.")] = None,
    categories: Annotated[Literal["mini", "llm"], typer.Option(help="By pas-mini or by --judge.")] = "mini",
    min_quality: Annotated[float, typer.Option(min=0, max=10, help="From 0 to 10.")] = 4.0,
    seed: Annotated[int, typer.Option(help="Decides ties, and the sample.")] = 0,
    engine: Annotated[Name, typer.Option(help="In this process, or on Ray.")] = "local",
    ray_address: Annotated[str, typer.Option(help="A cluster's address; default: one on this machine.")] = "",
    plan: Annotated[bool, typer.Option("--dry-run", help="Print counts and estimated cost only.")] = False,
    redo: Annotated[bool, typer.Option("--redo", help="Do anew what other settings change.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print stage.json.")] = False,
) -> None:
    """Turn conversations or prompts into a balanced, deduplicated, quality-filtered, categorised set.

    Examples:
      pas curate --demo

      pas curate hub:lmsys/lmsys-chat-1m hub:allenai/WildChat-1M --benchmark arena-hard.jsonl --judge gpt-4.1-mini
      --judge-sample 3000 --max-usd 5 --usd-input 0.4 --usd-output 1.6

    """
    if demo == bool(sources):
        raise ConfigError("There is nothing to curate, or both sources and --demo;", hint="give sources, or --demo.")
    endpoint = Endpoint(
        model=judge or "none",
        base_url=base_url,
        key_env=key_env,
        concurrency=concurrency,
        max_tokens=200,
        usd_per_million_input=usd_input,
        usd_per_million_output=usd_output,
    )
    languages = tuple(language or ("en", "zh"))
    curation = Curation(
        reading=Reading(tuple(sources or map(str, _DEMO)), turns, column, limit, split, strict),
        cleaning=Cleaning(() if "any" in languages else languages, min_chars, max_chars, unsafe, redacted),
        benchmarks=tuple(benchmark or ()),
        thresholds=Thresholds(near=near, semantic=semantic, crowd=crowd, per_cluster=per_cluster),
        encoder=encoder,
        judging=Judging(endpoint, judge_sample) if judge else None,
        categories=categories,
        least=min_quality,
        count=count or (_DEMO_COUNT if demo else 9000),
        seed=seed,
    )
    if plan:
        typer.echo(json.dumps(dry_run(curation), indent=1))
        return
    record = curate(curation, out, engine=engine_of(engine, ray_address), max_usd=max_usd, redo=redo)
    if as_json:
        typer.echo(json.dumps(asdict(record), ensure_ascii=False, indent=1))
    else:
        _show(record, out)


def _show(record: Record, out: Path) -> None:
    table = Table("step", "kept", box=None)
    for step, kept in record.counts.items():
        table.add_row(step, f"{kept:,}")
    console = Console()
    console.print(table)
    console.print("removed: " + ", ".join(f"{reason} {n:,}" for reason, n in sorted(record.rejected.items())))
    if "decontaminate" in record.figures:
        found = record.figures["decontaminate"]
        console.print(f"benchmarks: {found['found']:,} prompts equal or near one of {found['questions']:,} questions")
    for cell, taken in record.figures["select"]["short"].items():
        console.print(f"short: {cell} has {taken:,}, less than an even share; filled from the others")
    console.print(f"{out / 'prompts.parquet'}: {record.seconds:,.0f} s, {record.usd:.2f} USD; see pas report {out}")
