"""Architectures other than Qwen2: random weights, exported, compared with torch and run."""

import json

import pytest
import transformers

import nano_models
from pas_middleware.models.base import Request
from pas_middleware.models.load import load_model
from pas_trainer import nano

SMALL = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 512}
GROUPED = SMALL | {"intermediate_size": 128, "num_key_value_heads": 2, "eos_token_id": 2, "pad_token_id": 0}


def random_model(name, **config):
    made = getattr(transformers, f"{name}Config")(vocab_size=512, **config)
    return getattr(transformers, f"{name}ForCausalLM")(made)


FUSED = {
    "Llama": GROUPED,
    "Qwen3": GROUPED | {"head_dim": 16},
    "Phi3": GROUPED | {"original_max_position_embeddings": 512},
}
PLAIN = {"GPTNeoX": SMALL | {"intermediate_size": 128, "eos_token_id": 2}}


@pytest.fixture(scope="module", params=[*FUSED, *PLAIN])
def exported(request, tmp_path_factory):
    name = request.param
    folder = tmp_path_factory.mktemp(name)
    random_model(name, **(FUSED | PLAIN)[name]).save_pretrained(folder / "checkpoint")
    tokenizer = nano.make_tokenizer([row["prompt"] for row in nano.pairs(50)], 512)
    tokenizer.save(str(folder / "checkpoint" / "tokenizer.json"))
    (folder / "checkpoint" / "pas_template.txt").write_text(nano.TEMPLATE)
    return name, nano_models.write_generator(folder / "checkpoint", folder / "out", prompts=8)


def test_parity_is_measured_and_the_graph_is_of_its_style(exported):
    name, folder = exported
    config = json.loads((folder / "pas.json").read_text())
    assert config["made"]["architecture"] == f"{name}ForCausalLM"
    assert config["graph"]["style"] == ("fused" if name in FUSED else "plain")
    assert config["made"]["parity"]["max_logit_difference"] <= 1e-3
    assert config["made"]["parity"]["equal_complements"] == 1.0


def test_several_prompts_at_once_give_what_each_gives_alone(exported):
    _, folder = exported
    model = load_model(folder, "cpu")
    requests = [Request(row["prompt"], row["language"]) for row in nano.pairs(5)]
    alone = [model.propose([request], nano_models.unhurried())[0] for request in requests]
    assert model.propose(requests, nano_models.unhurried()) == alone
    model.close()
