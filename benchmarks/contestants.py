"""The contestants of `generator.py`, each in a process of its own that answers commands on standard input.

A command is a JSON line. `{"prompt": 3, "tokens": 40, "reuse": true}` has so many tokens written behind a prompt, the
template's prefix kept from before or read again; `{"together": 8, "tokens": 40}` behind so many prompts at once. The
answer is `{"seconds": …, "written": [ids…]}`.
"""

from __future__ import annotations

import copy
import itertools
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from pas_middleware.limits import Deadline
from pas_middleware.models.base import Request
from pas_middleware.models.batcher import Batcher
from pas_middleware.models.decoder import FusedDecoder
from pas_middleware.models.directory import open_directory
from pas_middleware.models.generation import Generation, Limits
from pas_middleware.models.recipe import Recipe

THREADS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Contestant(Protocol):
    """Something that writes tokens greedily behind prompts."""

    #: Whether its API lets the template's prefix be kept.
    reuses: bool

    def write(self, prompt: int, tokens: int, reuse: bool) -> list[int]:
        """Return the ids written behind one prompt."""

    def together(self, count: int, tokens: int) -> None:
        """Write behind so many prompts at once; raises NotImplementedError where it cannot."""


class Ours:
    """The runtime of pas_middleware: tokenizer, batcher, decoder."""

    reuses = True

    def __init__(self, folder: Path, texts: Sequence[str], device: str) -> None:
        self._texts = texts
        self._recipe = recipe = Recipe.read(open_directory(folder))
        decoder, session, found = recipe.open(device, THREADS)
        self._session, self._device, self._kept = session, found, Batcher(lambda: decoder)
        self._anew: Batcher | None = None

    def _without_reuse(self) -> Batcher:
        recipe = self._recipe
        decoder = FusedDecoder(self._session, recipe.shape, [], rows=1, context=recipe.context, device=self._device)
        return Batcher(lambda: decoder)

    def _submit(self, batcher: Batcher, prompt: int, tokens: int, before: Sequence[int] = ()) -> Generation:
        limits = Limits(frozenset(), 10**6, tokens)
        request = Request(self._texts[prompt % len(self._texts)], "en")
        generation = Generation(request, self._recipe.tokenizer, limits, Deadline.after(10**7, time.monotonic))
        generation.prompt_ids = [*before, *generation.prompt_ids]
        batcher.submit(generation)
        return generation

    def write(self, prompt: int, tokens: int, reuse: bool) -> list[int]:
        """Return the ids written behind one prompt."""
        if reuse:
            generation = self._submit(self._kept, prompt, tokens)
        else:
            self._anew = self._anew or self._without_reuse()
            generation = self._submit(self._anew, prompt, tokens, self._recipe.tokenizer.prefix)
        generation.text.result()
        return generation.tokens

    def together(self, count: int, tokens: int) -> None:
        """Write behind so many prompts at once."""
        for generation in [self._submit(self._kept, prompt, tokens) for prompt in range(count)]:
            generation.text.result()


class Ids:
    """What the other contestants are given: the prefix and the prompts as ids."""

    def __init__(self, folder: Path, texts: Sequence[str]) -> None:
        tokenizer = Recipe.read(open_directory(folder)).tokenizer
        self.prefix = list(tokenizer.prefix)
        self.prompts = [tokenizer.encode(text) for text in texts]

    def whole(self, prompt: int) -> list[int]:
        """Return a prompt behind the prefix."""
        return [*self.prefix, *self.prompts[prompt % len(self.prompts)]]

    def batch(self, count: int) -> list[list[int]]:
        """Return so many prompts behind the prefix, cut to one length: none has to be padded."""
        length = min(map(len, self.prompts))
        return [[*self.prefix, *self.prompts[i % len(self.prompts)][:length]] for i in range(count)]


class Transformers:
    """`generate` of transformers; the prefix's cache is copied for each prompt where it is reused."""

    reuses = True

    def __init__(self, checkpoint: Path, ids: Ids, device: str) -> None:
        import torch
        from transformers import AutoModelForCausalLM

        torch.set_num_threads(THREADS)
        torch.set_grad_enabled(False)
        self._torch, self._ids, self._device = torch, ids, device
        dtype = torch.float16 if device == "cuda" else torch.float32
        self._model: Any = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=dtype).eval().to(device)
        self._cache: Any = None

    def _generate(self, rows: list[list[int]], tokens: int, cache: Any) -> list[int]:
        fed = self._torch.tensor(rows, device=self._device)
        out = self._model.generate(
            fed,
            attention_mask=self._torch.ones_like(fed),
            max_new_tokens=tokens,
            min_new_tokens=tokens,
            do_sample=False,
            pad_token_id=0,
            past_key_values=cache,
        )
        return [int(token) for token in out[0, fed.shape[1] :]]

    def write(self, prompt: int, tokens: int, reuse: bool) -> list[int]:
        """Return the ids written behind one prompt."""
        if reuse and self._cache is None:
            prefix = self._torch.tensor([self._ids.prefix], device=self._device)
            self._cache = self._model(prefix, use_cache=True).past_key_values
        return self._generate([self._ids.whole(prompt)], tokens, copy.deepcopy(self._cache) if reuse else None)

    def together(self, count: int, tokens: int) -> None:
        """Write behind so many prompts at once."""
        self._generate(self._ids.batch(count), tokens, None)


class Optimum(Transformers):
    """`generate` of optimum's ORTModelForCausalLM, which takes no cache from outside."""

    reuses = False

    def __init__(self, folder: Path, ids: Ids, device: str) -> None:
        import torch
        from onnxruntime import SessionOptions
        from optimum.onnxruntime import ORTModelForCausalLM

        options = SessionOptions()
        options.intra_op_num_threads = THREADS
        self._torch, self._ids, self._device, self._cache = torch, ids, device, None
        self._model = ORTModelForCausalLM.from_pretrained(folder, session_options=options)


class GenAI:
    """The Generator of onnxruntime-genai, wound back to the prefix where it is reused."""

    reuses = True

    def __init__(self, folder: Path, ids: Ids, device: str) -> None:
        import onnxruntime_genai

        self._genai, self._ids = onnxruntime_genai, ids
        # Its default is half the machine.
        config = json.loads((folder / "genai_config.json").read_text(encoding="utf-8"))
        config["model"]["decoder"]["session_options"]["intra_op_num_threads"] = THREADS
        (folder / "genai_config.json").write_text(json.dumps(config), encoding="utf-8")
        self._model = onnxruntime_genai.Model(str(folder))
        self._generator: Any = None

    def _new(self, rows: int = 1) -> Any:
        params = self._genai.GeneratorParams(self._model)
        params.set_search_options(max_length=512, min_length=512, do_sample=False, batch_size=rows)
        return self._genai.Generator(self._model, params)

    def write(self, prompt: int, tokens: int, reuse: bool) -> list[int]:
        """Return the ids written behind one prompt."""
        whole = self._ids.whole(prompt)
        if reuse:
            if self._generator is None:
                self._generator = self._new()
                self._generator.append_tokens([self._ids.prefix])
            generator, fed = self._generator, whole[len(self._ids.prefix) :]
            generator.rewind_to(len(self._ids.prefix))
        else:
            generator, fed = self._new(), whole
        generator.append_tokens([fed])
        for _ in range(tokens):
            generator.generate_next_token()
        return [int(token) for token in generator.get_sequence(0)[len(whole) :]]

    def together(self, count: int, tokens: int) -> None:
        """Write behind so many prompts at once."""
        generator = self._new(count)
        generator.append_tokens(self._ids.batch(count))
        for _ in range(tokens):
            generator.generate_next_token()


class LlamaCpp:
    """llama-cpp-python, which keeps the longest common beginning of two prompts by itself."""

    reuses = True

    def __init__(self, file: Path, ids: Ids, device: str) -> None:
        llama = import_module("llama_cpp")
        self._ids = ids
        layers = -1 if device == "cuda" else 0
        self._model: Any = llama.Llama(
            str(file), n_ctx=512, n_threads=THREADS, n_threads_batch=THREADS, n_gpu_layers=layers, verbose=False
        )

    def write(self, prompt: int, tokens: int, reuse: bool) -> list[int]:
        """Return the ids written behind one prompt."""
        if not reuse:
            self._model.reset()
        written = self._model.generate(self._ids.whole(prompt), temp=0.0, reset=True, repeat_penalty=1.0)
        return list(itertools.islice(written, tokens))

    def together(self, count: int, tokens: int) -> None:
        """Raise: its high-level API runs one prompt at a time."""
        raise NotImplementedError


def opened(engine: str, folder: Path, ours: Path, texts: Sequence[str], device: str) -> Contestant:
    """Open a contestant; `ours` is a model directory that holds the tokenizer and the template."""
    if engine == "ours":
        return Ours(folder, texts, device)
    makers: dict[str, Callable[[Path, Ids, str], Contestant]] = {
        "transformers": Transformers,
        "optimum": Optimum,
        "genai": GenAI,
        "llama.cpp": LlamaCpp,
    }
    return makers[engine](folder, Ids(ours, texts), device)


def peak_bytes() -> int:
    """Return the most memory that this process has had."""
    # Not getrusage: a process inherits its parent's peak there.
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return 1024 * int(next(line.split()[1] for line in lines if line.startswith("VmHWM")))


def answer(contestant: Contestant, command: dict[str, Any]) -> dict[str, Any]:
    """Carry out one command."""
    written: list[int] = []
    started = time.perf_counter()
    if "together" in command:
        contestant.together(command["together"], command["tokens"])
    else:
        written = contestant.write(command["prompt"], command["tokens"], command["reuse"])
    return {"seconds": time.perf_counter() - started, "written": written, "peak": peak_bytes()}


def main() -> None:
    """Open the contestant that the first line names and answer the lines that follow."""
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not come between the answers
    first = json.loads(sys.stdin.readline())
    contestant = opened(first["engine"], Path(first["folder"]), Path(first["ours"]), first["texts"], first["device"])
    print(json.dumps({"reuses": contestant.reuses}), file=replies, flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(contestant, json.loads(line))), file=replies, flush=True)


if __name__ == "__main__":
    main()
