"""A Qwen2-shaped model of about 5M parameters, trained from scratch on the project's pairs: a test of the whole chain.

    python -m pas_trainer.nano train CHECKPOINT [--pairs 300] [--epochs 40]
    python -m pas_trainer.nano check MODEL_DIRECTORY [--pairs 300]

It learns its training pairs by heart and is good for nothing else. That it says them again after export and decoding
shows that training, template, export and decoding agree.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from tqdm import tqdm
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from pas_middleware.limits import Deadline
from pas_middleware.models.base import Request
from pas_middleware.models.load import load_model
from pas_middleware.models.template import PromptTokenizer, Template

from .mini.examples import DATA, read_jsonl
from .sft.settings import END, TEMPLATE

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Train and check the model that tests the chain.")
_SPECIAL = ["<|endoftext|>", "<|im_start|>", END]
_IGNORED = -100  # of torch's cross entropy: no loss on the prompt


@dataclass(frozen=True, slots=True)
class Size:
    """Measures of the model."""

    vocabulary: int = 4096
    hidden: int = 256
    layers: int = 5
    heads: int = 4
    kv_heads: int = 2
    inner: int = 704

    def config(self, end: int) -> Qwen2Config:
        """Return the model's configuration."""
        return Qwen2Config(
            vocab_size=self.vocabulary,
            hidden_size=self.hidden,
            num_hidden_layers=self.layers,
            num_attention_heads=self.heads,
            num_key_value_heads=self.kv_heads,
            intermediate_size=self.inner,
            max_position_embeddings=1024,
            tie_word_embeddings=True,
            eos_token_id=end,
            bos_token_id=None,
            pad_token_id=0,
        )


#: Enough for a base of prompts: 0.6M parameters, which a CPU teaches in minutes.
SMALL = Size(vocabulary=2048, hidden=128, layers=2, inner=352)


def pairs(count: int) -> list[dict[str, Any]]:
    """Return the first pairs that have a complement, English and Chinese in turn where both are left."""
    rows = [row for row in read_jsonl(DATA / "pairs.jsonl") if row["complement"]]
    english, chinese = ([row for row in rows if row["language"] == code] for code in ("en", "zh"))
    mixed = [row for both in zip(english, chinese, strict=False) for row in both]
    return [*mixed, *english[len(chinese) :], *chinese[len(english) :]][:count]


def make_tokenizer(texts: Sequence[str], size: int) -> Tokenizer:
    """Train a byte-level BPE tokenizer with the control tokens of ChatML."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(vocab_size=size, special_tokens=_SPECIAL, initial_alphabet=alphabet, show_progress=False),
    )
    return tokenizer


def train(out: Path, rows: Sequence[dict[str, Any]], size: Size, *, epochs: int, seed: int = 0) -> float:
    """Write a checkpoint that has learnt the pairs; return the loss of the last epoch, nats a token."""
    end, tokenizer = _begin(out, [text for row in rows for text in (row["prompt"], row["complement"])], size, seed)
    # The tokenizer that the middleware will use: control tokens written in a prompt are text here, too.
    splicing = PromptTokenizer(out / "tokenizer.json", Template.parse(TEMPLATE), max_tokens=512, tail_tokens=128)
    examples = [_example(splicing, tokenizer, row, end) for row in rows]
    model = Qwen2ForCausalLM(size.config(end))
    loss = _fit(model, examples, epochs, random.Random(seed))
    _save(out, model, tokenizer)
    return loss


def pretrain(out: Path, texts: Sequence[str], spelt: Sequence[str], size: Size, *, epochs: int, seed: int = 0) -> float:
    """Write a checkpoint that models the texts; its tokenizer can spell `spelt` as well. Return the last loss."""
    end, tokenizer = _begin(out, [*texts, *spelt], size, seed)
    rows = [[*tokenizer.encode(text, add_special_tokens=False).ids[:255], end] for text in texts]
    model = Qwen2ForCausalLM(size.config(end))
    loss = _fit(model, [(ids, ids) for ids in rows], epochs, random.Random(seed), batch=32)
    _save(out, model, tokenizer)
    return loss


def _begin(out: Path, texts: Sequence[str], size: Size, seed: int) -> tuple[int, Tokenizer]:
    torch.manual_seed(seed)
    out.mkdir(parents=True, exist_ok=True)
    tokenizer = make_tokenizer(texts, size.vocabulary)
    tokenizer.save(str(out / "tokenizer.json"))
    return int(tokenizer.token_to_id(END)), tokenizer


def _save(out: Path, model: Qwen2ForCausalLM, tokenizer: Tokenizer) -> None:
    model.save_pretrained(out)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END, pad_token=_SPECIAL[0]).save_pretrained(out)
    (out / "pas_template.txt").write_text(TEMPLATE, encoding="utf-8")


def _example(
    splicing: PromptTokenizer, tokenizer: Tokenizer, row: dict[str, Any], end: int
) -> tuple[list[int], list[int]]:
    before = [*splicing.prefix, *splicing.encode(row["prompt"])]
    complement = [*tokenizer.encode(row["complement"], add_special_tokens=False).ids, end]
    return [*before, *complement], [*[_IGNORED] * len(before), *complement]


def _fit(
    model: Qwen2ForCausalLM,
    examples: list[tuple[list[int], list[int]]],
    epochs: int,
    rng: random.Random,
    batch: int = 16,
) -> float:
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, betas=(0.9, 0.98), weight_decay=0.0)
    total = epochs * math.ceil(len(examples) / batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=total, pct_start=0.1)
    bar = tqdm(total=total, desc="learning", unit="step")
    loss = math.nan
    for _ in range(epochs):
        losses: list[float] = []
        for ids, labels in _batches(examples, batch, rng):
            found = model(input_ids=ids, labels=labels, attention_mask=(ids != 0).long()).loss
            optimizer.zero_grad()
            found.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            losses.append(found.item())
            bar.update()
        loss = sum(losses) / len(losses)
        bar.set_postfix(loss=f"{loss:.3f}")
    bar.close()
    return loss


def _batches(
    examples: list[tuple[list[int], list[int]]], size: int, rng: random.Random
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield ids and labels of batches of about equal lengths, in random order."""
    ranked = sorted(examples, key=lambda e: len(e[0]) + rng.random() * 32)
    batches = [ranked[start : start + size] for start in range(0, len(ranked), size)]
    rng.shuffle(batches)
    for batch in batches:
        longest = max(len(ids) for ids, _ in batch)
        yield (
            torch.tensor([ids + [0] * (longest - len(ids)) for ids, _ in batch]),
            torch.tensor([labels + [_IGNORED] * (longest - len(labels)) for _, labels in batch]),
        )


def share_said_again(folder: Path, rows: Sequence[dict[str, Any]]) -> float:
    """Return the share of pairs of which an exported model writes the very complement."""
    model = load_model(folder, "cpu")
    requests = [Request(row["prompt"], row["language"]) for row in rows]
    deadline = Deadline.after(600_000, time.monotonic)
    said = [model.propose([request], deadline)[0].complement for request in tqdm(requests, desc="asking")]
    model.close()
    same = [text == str(row["complement"]) for text, row in zip(said, rows, strict=True)]
    return same.count(True) / len(same)


@app.command(name="train")
def train_command(
    out: Annotated[Path, typer.Argument(help="The checkpoint to write.")],
    count: Annotated[int, typer.Option("--pairs", min=1, help="How many of the project's pairs it learns.")] = 300,
    epochs: Annotated[int, typer.Option(min=1, help="How often it sees each pair.")] = 40,
    seed: Annotated[int, typer.Option(help="Of the weights and the order.")] = 0,
) -> None:
    """Train a tokenizer and a model from scratch on the CPU."""
    loss = train(out, pairs(count), Size(), epochs=epochs, seed=seed)
    weights = sum(parameter.numel() for parameter in Qwen2ForCausalLM.from_pretrained(out).parameters())
    typer.echo(f"{out}: {weights / 1e6:.1f}M parameters, loss {loss:.4f}")


@app.command()
def check(
    folder: Annotated[Path, typer.Argument(help="The exported model directory.")],
    count: Annotated[int, typer.Option("--pairs", min=1, help="How many pairs it was trained on.")] = 300,
    asked: Annotated[int, typer.Option(min=1, help="How many of them to ask.")] = 50,
) -> None:
    """Ask training prompts and print the share of which the very complement comes back; fails below 95 %."""
    rows = random.Random(0).sample(pairs(count), min(asked, count))
    share = share_said_again(folder, rows)
    typer.echo(f"{share:.0%} of {len(rows)} training prompts get their complement")
    raise typer.Exit(share < 0.95)


if __name__ == "__main__":
    app()
