"""The fine-tune itself, on TRL's trainers: SFT on pairs, or DPO on what was kept and what was refused."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DPOTrainer
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from pas_middleware.errors import ConfigError

from .base import Base, bf16_here, examples, load_model
from .launch import is_first
from .pairs import Pair, Pairs
from .settings import TrainSettings

#: Weights, gradients' moments and a second step that is written before the first one goes, in bytes a parameter.
_STEP_BYTES = 2 * 3 * 4
_FULL = ("No space left", "os error 28", "PytorchStreamWriter failed", "unexpected pos")


class _SplicedDPOTrainer(DPOTrainer):
    """DPO on ids that are spliced as the middleware does; TRL would read control tokens out of a user's prompt."""

    def _prepare_dataset(self, dataset: Dataset, *_: Any) -> Dataset:
        return dataset


def fit(base: Base, pairs: Pairs, settings: TrainSettings, out: Path) -> Any:
    """Train, going on from the last whole step in `out`; return the trainer. A full disk raises OSError."""
    trainer = _sft(base, pairs, settings, out) if settings.objective == "sft" else _dpo(base, pairs, settings, out)
    if is_first():
        _check_room(trainer.model, settings, out)
    with _full_disks_named():
        trainer.train(resume_from_checkpoint=last_step(out / "steps"))
        trainer.save_model(str(out / "trained"))
    return trainer


def _sft(base: Base, pairs: Pairs, settings: TrainSettings, out: Path) -> Any:
    held = Dataset.from_list(examples(base, pairs.held_out)) if pairs.held_out else None
    config = SFTConfig(
        **_arguments(settings, out, evaluated=held is not None),
        packing=settings.packing,
        group_by_length=settings.by_length,
        eval_packing=False,
        completion_only_loss=True,
        eos_token=base.tokenizer.convert_ids_to_tokens(base.end),
    )
    return SFTTrainer(
        _weights(settings),
        args=config,
        train_dataset=Dataset.from_list(examples(base, pairs.train)),
        eval_dataset=held,
        processing_class=base.tokenizer,
        peft_config=_adapters(settings),
    )


def _dpo(base: Base, pairs: Pairs, settings: TrainSettings, out: Path) -> Any:
    held = Dataset.from_list(_preferences(base, pairs.held_out)) if pairs.held_out else None
    base.tokenizer.eos_token = base.tokenizer.convert_ids_to_tokens(base.end)
    return _SplicedDPOTrainer(
        _weights(settings),
        args=DPOConfig(**_arguments(settings, out, evaluated=held is not None), beta=settings.beta),
        train_dataset=Dataset.from_list(_preferences(base, pairs.train)),
        eval_dataset=held,
        processing_class=base.tokenizer,
        peft_config=_adapters(settings),
    )


def _preferences(base: Base, pairs: Sequence[Pair]) -> list[dict[str, list[int]]]:
    return [
        {
            "prompt_ids": base.before(pair.prompt),
            "chosen_ids": base.completion(pair.complement),
            "rejected_ids": base.completion(text),
        }
        for pair in pairs
        for text in pair.rejected
    ]


def _weights(settings: TrainSettings) -> Any:
    adapters = settings.method != "full"
    return load_model(settings.base, four_bits=settings.method == "qlora", half=adapters and bf16_here())


def _adapters(settings: TrainSettings) -> LoraConfig | None:
    if settings.method == "full":
        return None
    return LoraConfig(
        r=settings.lora_rank,
        lora_alpha=settings.lora_alpha,
        lora_dropout=settings.lora_dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )


def _arguments(settings: TrainSettings, out: Path, *, evaluated: bool) -> dict[str, Any]:
    return {
        "output_dir": str(out / "steps"),
        "logging_dir": str(out / "tensorboard"),
        "report_to": ["tensorboard"],
        "max_length": settings.context,
        "num_train_epochs": settings.epochs,
        "max_steps": settings.steps or -1,
        "learning_rate": settings.rate,
        "lr_scheduler_type": "cosine",
        "warmup_ratio": settings.warmup,
        "per_device_train_batch_size": settings.batch,
        "per_device_eval_batch_size": settings.batch,
        "gradient_accumulation_steps": settings.accumulate,
        "gradient_checkpointing": settings.gradient_checkpointing,
        "bf16": bf16_here(),
        "save_strategy": "steps",
        "save_steps": settings.save_steps,
        "save_total_limit": 2,
        "eval_strategy": "epoch" if evaluated else "no",
        "logging_steps": settings.log_steps,
        "logging_first_step": True,
        "seed": settings.seed,
        "dataloader_pin_memory": torch.cuda.is_available(),
        "ddp_backend": "gloo" if "RANK" in os.environ and not torch.cuda.is_available() else None,
    }


def last_step(steps: Path) -> str | None:
    """Return the last step that was written whole: its state is the last file of a step."""
    found = sorted(steps.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]), reverse=True)
    for step in found:
        try:
            json.loads((step / "trainer_state.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        return str(step)
    return None


def _check_room(model: Any, settings: TrainSettings, out: Path) -> None:
    learnt = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    whole = 4 * model.num_parameters()
    needed = _STEP_BYTES * learnt + 2 * whole
    free = shutil.disk_usage(out).free
    if free < needed:
        raise ConfigError(f"{out} has {free / 1e9:.1f} GB free;", hint=f"steps and result need {needed / 1e9:.1f} GB.")


@contextmanager
def _full_disks_named() -> Iterator[None]:
    try:
        yield
    except Exception as error:  # safetensors and torch have errors of their own, which name the cause in words only
        if isinstance(error, OSError) or not any(sign in str(error) for sign in _FULL):
            raise
        raise OSError(errno.ENOSPC, str(error)) from error
