"""What an export has kept of its checkpoint: logits, greedy complements, and what passes the guard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm
from transformers import AutoModelForCausalLM

from pas_middleware import guard
from pas_middleware.errors import GuardRejected
from pas_middleware.models.decoder import Decoder
from pas_middleware.models.directory import open_directory
from pas_middleware.models.recipe import Recipe
from pas_middleware.models.session import onnxruntime

#: Where two candidates lie this close together, either may be taken for the greatest.
TIE = 1e-3


@dataclass(frozen=True, slots=True)
class Parity:
    """Figures over `prompts`: shares of equal greedy complements and of those that pass the guard, ours and torch's."""

    prompts: int
    max_logit_difference: float
    equal_complements: float
    valid: float
    valid_torch: float

    def record(self) -> dict[str, Any]:
        """Return the figures as `pas.json` keeps them."""
        return {name: round(value, 7) for name, value in asdict(self).items()}


def measure(checkpoint: Path, exported: Path, prompts: Sequence[tuple[str, str]], threads: int) -> Parity:
    """Compare an export with its checkpoint in float32 on the CPU, over prompts given with their language."""
    recipe = Recipe.read(open_directory(exported))
    decoder, _, _ = recipe.open("cpu", threads)
    model = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32).eval()
    differences, equal, valid, valid_torch = [], [], [], []
    for prompt, language in tqdm(prompts, desc="comparing with torch", unit="prompt"):
        ids = recipe.tokenizer.encode(prompt)
        ours, difference = _ours(decoder, recipe, ids, model)
        theirs = _theirs(model, [*recipe.tokenizer.prefix, *ids], recipe)
        differences.append(difference)
        equal.append(_same(model, [*recipe.tokenizer.prefix, *ids], ours, theirs))
        valid.append(_passes(recipe, ours, prompt, language))
        valid_torch.append(_passes(recipe, theirs, prompt, language))
    shares = [float(np.mean(values)) for values in (equal, valid, valid_torch)]
    return Parity(len(prompts), float(max(differences)), *shares)


def _ours(decoder: Decoder, recipe: Recipe, ids: list[int], model: Any) -> tuple[list[int], float]:
    """Return the greedy tokens of the runtime's decoder, and how far its first candidates' logits lie from torch's."""
    top = decoder.prefill(0, ids, decoder.prefix, onnxruntime().RunOptions())
    with torch.inference_mode():
        theirs = model(torch.tensor([[*recipe.tokenizer.prefix, *ids]])).logits[0, -1].numpy()
    difference = float(np.abs(top.logits[0] - theirs[top.ids[0]]).max())
    tokens: list[int] = []
    length = decoder.prefix + len(ids)
    while len(tokens) < recipe.limits.max_new_tokens and int(top.ids[0, 0]) not in recipe.limits.ends:
        tokens.append(int(top.ids[0, 0]))
        top = decoder.step([tokens[-1]], [length])
        length += 1
    return tokens, difference


def _theirs(model: Any, ids: list[int], recipe: Recipe) -> list[int]:
    tokens: list[int] = []
    past, fed = None, torch.tensor([ids])
    with torch.inference_mode():
        while len(tokens) < recipe.limits.max_new_tokens:
            out = model(fed, past_key_values=past, use_cache=True)
            token = int(out.logits[0, -1].argmax())
            if token in recipe.limits.ends:
                break
            tokens.append(token)
            past, fed = out.past_key_values, torch.tensor([[token]])
    return tokens


def _same(model: Any, ids: list[int], ours: list[int], theirs: list[int]) -> bool:
    """Tell whether two complements are equal, or part where torch's first two candidates tie."""
    if ours == theirs:
        return True
    both = min(len(ours), len(theirs))
    shared = next((i for i in range(both) if ours[i] != theirs[i]), both)
    with torch.inference_mode():
        best = model(torch.tensor([[*ids, *theirs[:shared]]])).logits[0, -1].topk(2).values
    return bool(best[0] - best[1] < TIE)


def _passes(recipe: Recipe, tokens: list[int], prompt: str, language: str) -> bool:
    try:
        text = recipe.tokenizer.decode(tokens).strip()
        guard.check(text, prompt, max_words=recipe.limits.max_words, prompt_language=language)
    except GuardRejected:
        return False
    return True
