"""Synthetic conversations in the exact Arrow schemas of LMSYS-Chat-1M and WildChat: no row of either may be kept here.

python tests/corpora.py FOLDER [--rows 3000] [--seed 1]
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

PAIRS = Path(__file__).parent.parent / "trainer" / "pas_trainer" / "mini" / "data" / "pairs.jsonl"
_KEYS = (
    "harassment harassment/threatening hate hate/threatening self-harm self-harm/instructions self-harm/intent sexual "
    "sexual/minors violence violence/graphic"
).split()
_MORE_KEYS = (
    "harassment_threatening hate_threatening self_harm self_harm_instructions self_harm_intent sexual_minors "
    "violence_graphic"
).split()
_DETOXIFY = "identity_attack insult obscene severe_toxicity sexual_explicit threat toxicity".split()


def _moderation(keys: list[str]) -> pa.DataType:
    return pa.list_(
        pa.struct(
            [
                ("categories", pa.struct([(key, pa.bool_()) for key in keys])),
                ("category_scores", pa.struct([(key, pa.float64()) for key in keys])),
                ("flagged", pa.bool_()),
            ]
        )
    )


_TIME = pa.timestamp("us", tz="UTC")
_HEADER = pa.struct([("accept-language", pa.string()), ("user-agent", pa.string())])
LMSYS = pa.schema(
    [
        ("conversation_id", pa.string()),
        ("model", pa.string()),
        ("conversation", pa.list_(pa.struct([("content", pa.string()), ("role", pa.string())]))),
        ("turn", pa.int64()),
        ("language", pa.string()),
        ("openai_moderation", _moderation(_KEYS)),
        ("redacted", pa.bool_()),
    ]
)
_TURN = [
    ("content", pa.string()),
    ("country", pa.string()),
    ("hashed_ip", pa.string()),
    ("header", _HEADER),
    ("language", pa.string()),
    ("redacted", pa.bool_()),
    ("role", pa.string()),
    ("state", pa.string()),
    ("timestamp", _TIME),
    ("toxic", pa.bool_()),
    ("turn_identifier", pa.int64()),
]
WILDCHAT = pa.schema(
    [
        ("conversation_hash", pa.string()),
        ("model", pa.string()),
        ("timestamp", _TIME),
        ("conversation", pa.list_(pa.struct(_TURN))),
        ("turn", pa.int64()),
        ("language", pa.string()),
        ("openai_moderation", _moderation(_KEYS + _MORE_KEYS)),
        ("detoxify_moderation", pa.list_(pa.struct([(key, pa.float64()) for key in _DETOXIFY]))),
        ("toxic", pa.bool_()),
        ("redacted", pa.bool_()),
        ("state", pa.string()),
        ("country", pa.string()),
        ("hashed_ip", pa.string()),
        ("header", _HEADER),
    ]
)
#: WildChat-nontoxic v0 names its conversations otherwise, and its turns say less.
WILDCHAT_V0 = pa.schema(
    [
        ("conversation_id", pa.string()),
        ("model", pa.string()),
        ("timestamp", _TIME),
        (
            "conversation",
            pa.list_(pa.struct([f for f in _TURN if f[0] in ("content", "language", "redacted", "role", "toxic")])),
        ),
        ("turn", pa.int64()),
        ("language", pa.string()),
        ("openai_moderation", _moderation(_KEYS)),
        ("toxic", pa.bool_()),
        ("redacted", pa.bool_()),
    ]
)
#: WildChat-4.8M says more of a turn and moderates by more keys.
WILDCHAT_4_8M = pa.schema(
    [
        pa.field("conversation", pa.list_(pa.struct([*_TURN, ("system_fingerprint", pa.string())])))
        if field.name == "conversation"
        else pa.field(field.name, _moderation([*_KEYS, *_MORE_KEYS, "illicit", "illicit_violent"]))
        if field.name == "openai_moderation"
        else field
        for field in WILDCHAT
    ]
)
SCHEMAS = {"lmsys": LMSYS, "wildchat": WILDCHAT, "wildchat_v0": WILDCHAT_V0, "wildchat_4_8m": WILDCHAT_4_8M}
#: What is odd, and how many rows in a hundred are so.
ODD = {"unsafe": 5, "redacted": 4, "empty": 2, "foreign": 5, "copy": 10, "null_moderation": 5}
TEMPLATE = "Give me an introduction over 200 words for Acme, a chemical company in Springfield"


def _prompts() -> list[dict[str, str]]:
    return [json.loads(line) for line in PAIRS.read_text(encoding="utf-8").split("\n") if line]


def _plan(rows: int, seed: int) -> Iterator[tuple[str, str, str]]:
    """Yield an oddity ("" for most), a prompt and its language."""
    rng = random.Random(seed)
    known = _prompts()
    for _ in range(rows):
        kind = rng.choices(["", *ODD], [100 - sum(ODD.values()), *ODD.values()])[0]
        row = rng.choice(known)
        text, language = row["prompt"], {"en": "English", "zh": "Chinese"}[row["language"]]
        if kind == "redacted":
            text = f"NAME_1 asked NAME_2: {text}"
        elif kind == "foreign":
            text, language = f"Bitte erkläre mir ausführlich, wie das mit der Miete {rng.random()} geht.", "German"
        elif kind in ("empty", "copy"):
            text = "" if kind == "empty" else TEMPLATE
        yield kind, text, language


def _flags(flagged: bool, type_: pa.DataType) -> dict[str, Any]:
    names = [field.name for field in type_.value_type.field("categories").type]
    return {
        "categories": {name: flagged and name == "violence" for name in names},
        "category_scores": {name: 0.9 if flagged and name == "violence" else 0.001 for name in names},
        "flagged": flagged,
    }


def table(name: str, rows: int = 3000, seed: int = 1) -> pa.Table:
    """Return a table of that corpus."""
    schema = SCHEMAS[name]
    made = [_row(schema, number, *plan) for number, plan in enumerate(_plan(rows, seed))]
    return pa.Table.from_pylist(made, schema=schema)


def _row(schema: pa.Schema, number: int, kind: str, text: str, language: str) -> dict[str, Any]:
    said = [
        ("user", text),
        ("assistant", f"Answer {number}."),
        ("user", f"And then, step {number}?"),
        ("assistant", "So."),
    ]
    said = said[: 2 + 2 * (number % 2)]
    at = datetime.datetime(2023, 5, 1, tzinfo=datetime.UTC) + datetime.timedelta(seconds=number)
    moderation = schema.field("openai_moderation").type
    fields = {field.name for field in schema.field("conversation").type.value_type}
    turns = [
        {key: value for key, value in _turn(role, content, language, kind, number, at).items() if key in fields}
        for role, content in said
    ]
    # A hash is one of the content: copies share it.
    name = hashlib.sha256(json.dumps(said[:1] if kind == "copy" else [number, *said]).encode()).hexdigest()
    whole = {
        "conversation_id": name[:32],
        "conversation_hash": name[:32],
        "model": "vicuna-13b" if "toxic" not in schema.names else "gpt-3.5-turbo-0301",
        "timestamp": at,
        "conversation": turns,
        "turn": len(said) // 2,
        "language": language,
        "openai_moderation": None
        if kind == "null_moderation"
        else [_flags(kind == "unsafe" and place == 0, moderation) for place in range(len(said))],
        "detoxify_moderation": [dict.fromkeys(_DETOXIFY, 0.01) for _ in said],
        "toxic": kind == "unsafe",
        "redacted": kind == "redacted",
        "country": "Germany",
        "hashed_ip": name[:40],
    }
    return {key: value for key, value in whole.items() if key in schema.names}


def _turn(role: str, content: str, language: str, kind: str, number: int, at: datetime.datetime) -> dict[str, Any]:
    turn: dict[str, Any] = {
        "content": content,
        "language": language if role == "user" else "English",
        "redacted": kind == "redacted",
        "role": role,
        "toxic": kind == "unsafe" and role == "user",
        "turn_identifier": number,
    }
    if role == "assistant":
        return turn | {"timestamp": at}
    header = {"accept-language": "en", "user-agent": "Mozilla/5.0"}
    return turn | {"country": "Germany", "hashed_ip": "0" * 40, "header": header, "state": "Berlin"}


def write(folder: Path, rows: int = 3000, seed: int = 1) -> dict[str, Path]:
    """Write a Parquet file for each corpus and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {name: folder / f"{name}.parquet" for name in SCHEMAS}
    for name, file in files.items():
        pq.write_table(table(name, rows, seed), file)
    return files


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    print(*write(given.folder, given.rows, given.seed).values(), sep="\n")
