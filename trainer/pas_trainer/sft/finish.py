"""From trained weights to a checkpoint that `pas export` takes: adapters merged, template beside it."""

from __future__ import annotations

import shutil
from pathlib import Path

from peft import PeftModel

from ..export.checkpoint import TEMPLATE_FILE
from .base import Base, bf16_here, load_model
from .settings import TrainSettings


def write_checkpoint(base: Base, settings: TrainSettings, out: Path) -> Path:
    """Turn `trained` into `checkpoint`, which is there whole or not at all; adapters stay in `adapter`."""
    trained, made, checkpoint = out / "trained", out / ".checkpoint", out / "checkpoint"
    shutil.rmtree(made, ignore_errors=True)
    if settings.method == "full":
        shutil.copytree(trained, made, ignore=shutil.ignore_patterns("README.md", "training_args.bin"))
    else:
        # A quantised base is read again in full: merged into its 4 bits, the adapters would be rounded away.
        merged = PeftModel.from_pretrained(load_model(settings.base, half=bf16_here()), str(trained)).merge_and_unload()
        merged.generation_config.eos_token_id = [base.end]
        merged.save_pretrained(made)
    base.tokenizer.save_pretrained(made)
    (made / TEMPLATE_FILE).write_text(base.template, encoding="utf-8")
    shutil.rmtree(checkpoint, ignore_errors=True)
    made.rename(checkpoint)
    trained.rename(out / "adapter") if settings.method != "full" else shutil.rmtree(trained)
    return checkpoint
