"""Rows and settings that tests of the fine-tune share."""

import json
from pathlib import Path


def write_rows(file: Path, rows: list) -> Path:
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return file


#: What makes a fine-tune one of seconds.
QUICK = {
    "batch": 8,
    "epochs": 1.0,
    "held_out": 0.2,
    "samples": 6,
    "log_steps": 1,
    "save_steps": 2,
    "gradient_checkpointing": False,
}
