"""The pairs as a data set of LLaMA-Factory, the route of the paper's authors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from .pairs import Pair, Pairs
from .settings import TrainSettings

NAME = "pas_pairs"


def write_dataset(folder: Path, pairs: Pairs, settings: TrainSettings) -> None:
    """Write the training pairs, `dataset_info.json` and a configuration of the same fine-tune into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    info: dict[str, Any] = {
        NAME: {"file_name": f"{NAME}.json", "columns": {"prompt": "instruction", "response": "output"}},
    }
    _write(folder / f"{NAME}.json", [_alpaca(pair) for pair in pairs.train])
    ranked = [row for pair in pairs.train for row in _ranking(pair)]
    if ranked:
        columns = {"prompt": "instruction", "chosen": "chosen", "rejected": "rejected"}
        info[f"{NAME}_dpo"] = {"file_name": f"{NAME}_dpo.json", "ranking": True, "columns": columns}
        _write(folder / f"{NAME}_dpo.json", ranked)
    _write(folder / "dataset_info.json", info)
    text = yaml.safe_dump(_configuration(settings), sort_keys=False)
    (folder / "train.yaml").write_text(f"# llamafactory-cli train train.yaml\n{text}", encoding="utf-8")


def _alpaca(pair: Pair) -> dict[str, str]:
    return {"instruction": pair.prompt, "output": pair.complement}


def _ranking(pair: Pair) -> list[dict[str, str]]:
    return [{"instruction": pair.prompt, "chosen": pair.complement, "rejected": text} for text in pair.rejected]


def _configuration(settings: TrainSettings) -> dict[str, Any]:
    dpo = settings.objective == "dpo"
    lora = settings.method != "full"
    return {
        "model_name_or_path": settings.base,
        "stage": settings.objective,
        "do_train": True,
        "finetuning_type": "lora" if lora else "full",
        **({"lora_rank": settings.lora_rank, "lora_alpha": settings.lora_alpha, "lora_target": "all"} if lora else {}),
        **({"quantization_bit": 4} if settings.method == "qlora" else {}),
        **({"pref_beta": settings.beta} if dpo else {}),
        "dataset_dir": ".",
        "dataset": f"{NAME}_dpo" if dpo else NAME,
        "template": "qwen",
        "cutoff_len": settings.context,
        "packing": settings.packing,
        "num_train_epochs": settings.epochs,
        "learning_rate": settings.rate,
        "lr_scheduler_type": "cosine",
        "warmup_ratio": settings.warmup,
        "per_device_train_batch_size": settings.batch,
        "gradient_accumulation_steps": settings.accumulate,
        "bf16": True,
        "output_dir": "saves/pas",
    }


def _write(file: Path, content: Any) -> None:
    file.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
