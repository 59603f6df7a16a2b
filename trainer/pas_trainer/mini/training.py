"""Fine-tune the encoder of pas-mini on the labelled prompts."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm
from transformers import AutoTokenizer

from .encoder import MiniEncoder, empty_encoder, new_encoder
from .examples import Example

NOTHING_WEIGHT = 5.0


@dataclass(frozen=True, slots=True)
class Recipe:
    """Knobs of the fine-tune; learning rates are AdamW's, passes are weights within one epoch."""

    epochs: int = 4
    batch: int = 64
    lr: float = 1.5e-4
    embedding_lr: float = 6e-4
    head_lr: float = 2e-3
    real_passes: int = 2
    gate_passes: int = 2
    token_dropout: float = 0.05
    average_from: float = 0.5
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Labels:
    """Names of the classes, in the order of the heads' rows."""

    intents: tuple[str, ...]
    categories: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Targets:
    """The labels of a batch as tensors; -1 or NaN where nobody gave one."""

    intent: Tensor
    wrong: Tensor
    category: Tensor
    needs: Tensor


def targets_of(examples: Sequence[Example], labels: Labels) -> Targets:
    """Return soft intent targets (prompts, intents), with other labels as class numbers."""
    intent = torch.zeros(len(examples), len(labels.intents))
    for row, example in enumerate(examples):
        if example.intent:
            share = 0.3 / len(example.also) if example.also else 0.0
            intent[row, labels.intents.index(example.intent)] += 1.0 - share * len(example.also)
            for other in example.also:
                intent[row, labels.intents.index(other)] += share
    return Targets(
        intent,
        torch.tensor([labels.intents.index(e.wrong) if e.wrong else -1 for e in examples]),
        torch.tensor([labels.categories.index(e.category) if e.category else -1 for e in examples]),
        torch.tensor([float("nan") if e.needs is None else float(e.needs) for e in examples]),
    )


def loss_of(logits: tuple[Tensor, Tensor, Tensor], target: Targets) -> Tensor:
    """Return cross-entropy on intents, half that on categories and gate, and a margin to the tempting wrong intent."""
    intents, categories, gate = logits
    total = 0.5 * functional.cross_entropy(categories, target.category, ignore_index=-1, label_smoothing=0.05)
    total = total.nan_to_num()  # a batch without any category label
    named = target.intent.sum(1) > 0
    if named.any():
        smooth = target.intent[named] * 0.9 + 0.1 / intents.shape[1]
        total = total + functional.cross_entropy(intents[named], smooth)
    gated = ~target.needs.isnan()
    if gated.any():
        # Prompts that need nothing are few; weighted, the two sides of the gate count about the same.
        weight = torch.where(target.needs[gated] > 0.5, 1.0, NOTHING_WEIGHT)
        each = functional.binary_cross_entropy_with_logits(gate[gated], target.needs[gated], weight=weight)
        total = total + 0.5 * each
    tempted = target.wrong >= 0
    if tempted.any():
        best = intents[tempted].gather(1, target.intent[tempted].argmax(1, keepdim=True))
        wrong = intents[tempted].gather(1, target.wrong[tempted].unsqueeze(1))
        total = total + 0.1 * functional.relu(2.0 + wrong - best).mean()
    return total


def batches(examples: Sequence[Example], size: int, rng: random.Random) -> Iterator[list[Example]]:
    """Yield shuffled batches of prompts of like length, so that little is padded."""
    rows = list(examples)
    rng.shuffle(rows)
    out: list[list[Example]] = []
    for start in range(0, len(rows), size * 20):
        chunk = sorted(rows[start : start + size * 20], key=lambda e: len(e.prompt))
        out += [chunk[i : i + size] for i in range(0, len(chunk), size)]
    rng.shuffle(out)
    yield from out


def optimizer_of(model: MiniEncoder, recipe: Recipe) -> torch.optim.AdamW:
    """Return AdamW with faster rates for the word embeddings, where Chinese starts from nothing, and the heads."""
    embeddings = [p for n, p in model.named_parameters() if "word_embeddings" in n]
    heads = [p for n, p in model.named_parameters() if "head" in n]
    rest = [p for n, p in model.named_parameters() if "word_embeddings" not in n and "head" not in n]
    groups = [
        {"params": rest, "lr": recipe.lr},
        {"params": embeddings, "lr": recipe.embedding_lr},
        {"params": heads, "lr": recipe.head_lr},
    ]
    return torch.optim.AdamW(groups, weight_decay=0.01)


def drop_tokens(batch: dict[str, Tensor], model: MiniEncoder, share: float, generator: torch.Generator) -> None:
    """Replace a share of the tokens by [MASK], so that no single word decides."""
    ids = batch["input_ids"]
    special = (ids == model.tokenizer.cls_token_id) | (ids == model.tokenizer.sep_token_id)
    hit = (torch.rand(ids.shape, generator=generator) < share) & ~special & batch["attention_mask"].bool()
    batch["input_ids"] = ids.masked_fill(hit, model.tokenizer.mask_token_id)


def fit(examples: Sequence[Example], labels: Labels, recipe: Recipe) -> MiniEncoder:
    """Fine-tune the base encoder; the weights returned are the mean of the later half's, which over-fits less."""
    torch.manual_seed(recipe.seed)
    rng, noise = random.Random(recipe.seed), torch.Generator().manual_seed(recipe.seed)
    passes = {"real": recipe.real_passes, "gate": recipe.gate_passes}
    rows = [e for e in examples for _ in range(passes.get(e.kind, 1))]
    model = new_encoder((e.prompt for e in examples), len(labels.intents), len(labels.categories))
    optimizer = optimizer_of(model, recipe)
    steps = sum(1 for _ in range(recipe.epochs) for _ in range(0, len(rows) + recipe.batch, recipe.batch))
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, [g["lr"] for g in optimizer.param_groups], total_steps=steps + recipe.epochs, pct_start=0.1
    )
    mean = torch.optim.swa_utils.AveragedModel(model)
    model.train()
    with tqdm(total=steps, desc="fine-tuning", unit="batch") as bar:
        for epoch in range(recipe.epochs):
            for number, batch in enumerate(batches(rows, recipe.batch, rng)):
                tokens = model.tokens([e.prompt for e in batch])
                drop_tokens(tokens, model, recipe.token_dropout, noise)
                loss = loss_of(model.heads(model.embed(tokens)), targets_of(batch, labels))
                loss.backward()  # type: ignore[no-untyped-call]
                torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                optimizer.zero_grad()
                schedule.step()
                if epoch >= recipe.epochs * recipe.average_from and number % 20 == 0:
                    mean.update_parameters(model)
                bar.update()
                bar.set_postfix(epoch=epoch + 1, loss=f"{loss.item():.3f}")
    return cast(MiniEncoder, mean.module).eval()


def save_checkpoint(model: MiniEncoder, labels: Labels, folder: Path) -> None:
    """Write the weights, the tokenizer and the class names of a fine-tune."""
    folder.mkdir(parents=True, exist_ok=True)
    model.tokenizer.save_pretrained(folder / "tokenizer")
    (folder / "labels.json").write_text(json.dumps(asdict(labels)), encoding="utf-8")
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, folder / "weights.safetensors")


def load_checkpoint(folder: Path) -> tuple[MiniEncoder, Labels]:
    """Read what `save_checkpoint` wrote."""
    names = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
    labels = Labels(tuple(names["intents"]), tuple(names["categories"]))
    tokenizer = AutoTokenizer.from_pretrained(folder / "tokenizer")
    model = empty_encoder(tokenizer, len(labels.intents), len(labels.categories))
    model.load_state_dict(load_file(folder / "weights.safetensors"))
    return model.eval(), labels
