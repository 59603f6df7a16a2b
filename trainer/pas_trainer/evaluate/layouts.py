"""Arena-Hard's files in both of upstream's layouts: questions, answers and judgements, read and written.

| | v0.1 | v2.0 and v0.1 as it is published today |
|---|---|---|
| question | question_id, category, cluster, turns | uid, category, cluster or subcategory, prompt |
| answer | question_id, model_id, choices, conv_metadata | uid, model, messages, metadata |
| judgement | question_id, model, judge, games | uid, category, model, judge, baseline, games |
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pas_middleware.errors import InputError

from ..mini.examples import read_jsonl
from .verdicts import MIRRORED, OUTCOMES, Generation

SHOWN = 5


@dataclass(frozen=True, slots=True)
class Question:
    """One question of a benchmark."""

    id: str
    prompt: str
    category: str = ""


def rows_of(path: Path) -> list[dict[str, Any]]:
    """Read a JSON Lines file, or a JSON list; raises InputError naming the file and the line."""
    try:
        # On "\n" alone: prompts hold U+2028.
        rows = json.loads(path.read_text(encoding="utf-8")) if path.suffix == ".json" else list(read_jsonl(path))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error};", hint="give a UTF-8 JSON Lines file.") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InputError(f"{path} is no list of objects;", hint="give one JSON object a line.")
    if not rows:
        raise InputError(f"{path} holds no row;", hint="give one JSON object a line.")
    return rows


def read_questions(path: Path) -> list[Question]:
    """Read questions of either layout, or rows of `prompt` with an `id` or without; ids must not repeat."""
    questions = [_question(row, number, path) for number, row in enumerate(rows_of(path), 1)]
    refuse_duplicates([q.id for q in questions], path)
    return questions


def _question(row: Mapping[str, Any], number: int, path: Path) -> Question:
    turns = row.get("turns")
    prompt = turns[0].get("content") if isinstance(turns, list) and turns else row.get("prompt")
    if not isinstance(prompt, str) or not prompt.strip():
        raise InputError(f"{path}, row {number}: no prompt;", hint="each row needs a `prompt` that is not empty.")
    if isinstance(turns, list) and len(turns) > 1:
        raise InputError(f"{path}, row {number}: {len(turns)} turns;", hint="only single questions are evaluated.")
    category = next((str(row[key]) for key in ("cluster", "subcategory", "category") if row.get(key)), "")
    own = hashlib.sha256(prompt.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return Question(str(id_of(row) or own), prompt, category)


def id_of(row: Mapping[str, Any]) -> str:
    """Return a row's id in either layout, "" where it has none."""
    return next((str(row[key]) for key in ("uid", "question_id", "id") if row.get(key) not in (None, "")), "")


def read_answers(path: Path) -> dict[str, str]:
    """Read a model's answers of either layout, or rows of `id` and `answer`, by question."""
    rows = rows_of(path)
    refuse_duplicates([id_of(row) for row in rows], path)
    return {id_of(row): _answer(row, number, path) for number, row in enumerate(rows, 1)}


def _answer(row: Mapping[str, Any], number: int, path: Path) -> str:
    try:
        if "choices" in row:
            found = row["choices"][0]["turns"][-1]["content"]
        elif "messages" in row:
            found = row["messages"][-1]["content"]
            found = found["answer"] if isinstance(found, dict) else found
        else:
            found = row["answer"]
    except (KeyError, IndexError, TypeError):
        found = None
    if not isinstance(found, str) or not id_of(row):
        raise InputError(f"{path}, row {number}: no id or no answer;", hint="use upstream's layout, or id and answer.")
    return found


def read_judgements(path: Path) -> list[dict[str, Any]]:
    """Read judgements of either layout as rows {id, model, game, verdict}; a game without a verdict has None."""
    rows = rows_of(path)
    refuse_duplicates([f"{id_of(row)} of {row.get('model')}" for row in rows], path)
    return [game for number, row in enumerate(rows, 1) for game in _games(row, number, path)]


def _games(row: Mapping[str, Any], number: int, path: Path) -> list[dict[str, Any]]:
    games = row.get("games")
    if not isinstance(games, list) or not id_of(row):
        raise InputError(f"{path}, row {number}: no id or no games;", hint="use upstream's layout of judgements.")
    labels = [(game or {}).get("score") for game in games]
    known = [MIRRORED.get(label, label) if label in OUTCOMES or label in MIRRORED else None for label in labels]
    return [{"id": id_of(row), "model": row.get("model"), "game": i, "verdict": v} for i, v in enumerate(known, 1)]


def refuse_duplicates(ids: Sequence[str], path: Path | str) -> None:
    """Raise InputError naming the ids that come twice."""
    twice = sorted({i for i in ids if ids.count(i) > 1}) if len(set(ids)) < len(ids) else []
    if twice:
        raise InputError(f"{path}: {len(twice)} ids come twice: {listed(twice)};", hint="keep one row of each.")


def align(questions: Sequence[Question], answers: Mapping[str, Any], name: str) -> None:
    """Raise InputError naming the questions without an answer, and the answers to none of the questions."""
    ids = {q.id for q in questions}
    missing, unknown = sorted(ids - answers.keys()), sorted(answers.keys() - ids)
    if missing:
        raise InputError(
            f"{name} has no answer to {len(missing)} of {len(ids)} questions: {listed(missing)};",
            hint="answer them too, or take these questions out for every arm: all arms are compared on the same ones."
            + (f" It answers {len(unknown)} others: {listed(unknown)}." if unknown else ""),
        )


def listed(ids: Sequence[str]) -> str:
    """Return the first few ids, and how many more there are."""
    more = f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else ""
    return ", ".join(ids[:SHOWN]) + more


def answer_row(question: Question, model: str, answer: str, style: Mapping[str, Any], generation: Generation) -> Any:
    """Return an answer in upstream's layout."""
    if generation == "v0.1":
        turns = [{"content": answer, "token_len": style["token_len"]}]
        choices = [{"index": 0, "turns": turns}]
        return {"question_id": question.id, "model_id": model, "choices": choices, "conv_metadata": dict(style)}
    messages = [{"role": "user", "content": question.prompt}, {"role": "assistant", "content": {"answer": answer}}]
    return {"uid": question.id, "model": model, "messages": messages, "metadata": dict(style)}


def judgement_row(question: Question, names: Mapping[str, str], games: Iterable[Any], generation: Generation) -> Any:
    """Return a judgement in upstream's layout; `names` has model, judge and baseline, a game score and judgment."""
    if generation == "v0.1":
        rows = [{"user_prompt": "", "judgment": g["judgment"], "score": g["verdict"]} for g in games]
        return {"question_id": question.id, "model": names["model"], "judge": names["judge"], "games": rows}
    rows = [{"score": g["verdict"], "judgment": {"answer": g["judgment"]}, "prompt": []} for g in games]
    return {"uid": question.id, "category": question.category, **names, "games": rows}


def write_jsonl(path: Path, rows: Iterable[Any]) -> None:
    """Write a JSON Lines file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}")
    with scratch.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    scratch.replace(path)
