"""What is refused before any work is done, and by which name."""

import json
import shutil

import pytest

from pas_middleware.errors import ConfigError
from pas_trainer.export.checkpoint import read_checkpoint


@pytest.fixture
def checkpoint(nano_checkpoint, tmp_path):
    return shutil.copytree(nano_checkpoint, tmp_path / "checkpoint")


def change(folder, name, **values):
    content = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps(content | values))


def test_template_of_the_checkpoint_is_taken(checkpoint, tmp_path):
    found = read_checkpoint(checkpoint, None, tmp_path / "out")
    assert found.template == (checkpoint / "pas_template.txt").read_text()
    assert found.architecture == "Qwen2ForCausalLM"
    assert found.heads == (2, 2, 32)


def test_template_given_goes_before_the_checkpoints(checkpoint, tmp_path):
    (tmp_path / "mine.txt").write_text("Q: {prompt}\nA:")
    assert read_checkpoint(checkpoint, tmp_path / "mine.txt", tmp_path / "out").template == "Q: {prompt}\nA:"


def test_chat_template_is_rendered_where_there_is_no_other(checkpoint, tmp_path):
    (checkpoint / "pas_template.txt").unlink()
    (checkpoint / "chat_template.jinja").write_text(
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
        "{{ '<|im_start|>assistant\n' }}"
    )
    found = read_checkpoint(checkpoint, None, tmp_path / "out").template
    assert found == "<|im_start|>user\n{prompt}<|im_end|>\n<|im_start|>assistant\n"


def no_config(folder):
    (folder / "config.json").unlink()


def broken_config(folder):
    (folder / "config.json").write_text("{")


def listed_config(folder):
    (folder / "config.json").write_text("[]")


def encoder(folder):
    change(folder, "config.json", architectures=["BertForMaskedLM"])


def no_architecture(folder):
    change(folder, "config.json", architectures=None)


def no_tokenizer(folder):
    (folder / "tokenizer.json").unlink()


def small_embedding(folder):
    change(folder, "config.json", vocab_size=100)


def no_weights(folder):
    (folder / "model.safetensors").unlink()


def no_end(folder):
    (folder / "generation_config.json").unlink()
    change(folder, "config.json", eos_token_id=None)


def no_template(folder):
    (folder / "pas_template.txt").unlink()


def two_slots(folder):
    (folder / "pas_template.txt").write_text("{prompt} and {prompt}")


def template_in_latin1(folder):
    (folder / "pas_template.txt").write_bytes("Antworte knapp auf: {prompt} für".encode("latin-1"))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (no_config, r"has no config\.json; give a folder that save_pretrained wrote"),
        (broken_config, r"config\.json cannot be read"),
        (listed_config, r"config\.json holds no object"),
        (encoder, r"is a BertForMaskedLM; supported: .*Gemma.*Llama.*Mistral.*Phi.*Qwen2.*Qwen3"),
        (no_architecture, r"is a none; supported:"),
        (no_tokenizer, r"has no tokenizer\.json"),
        (small_embedding, r"the tokenizer has ids up to 1,535, the embedding 100 rows; save the tokenizer"),
        (no_weights, r"has no weights \(\*\.safetensors\)"),
        (no_end, r"names no eos_token_id; set it in generation_config\.json"),
        (
            no_template,
            r"has no template; write the text it was trained with, \{prompt\} once in it, to a --template FILE",
        ),
        (two_slots, r"The template has 2 slots; write \{prompt\} in it exactly once"),
        (template_in_latin1, r"pas_template\.txt cannot be read"),
    ],
)
def test_what_cannot_be_exported_is_refused_by_name(checkpoint, tmp_path, spoil, message):
    spoil(checkpoint)
    with pytest.raises(ConfigError, match=message):
        read_checkpoint(checkpoint, None, tmp_path / "out")


def test_folder_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere has no config\.json"):
        read_checkpoint(tmp_path / "nowhere", None, tmp_path / "out")


def test_nothing_is_overwritten(checkpoint, tmp_path):
    with pytest.raises(ConfigError, match="exists already; name a new folder or remove it"):
        read_checkpoint(checkpoint, None, tmp_path)


def test_too_little_room_is_said_beforehand(checkpoint, tmp_path, monkeypatch):
    full = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: full)
    with pytest.raises(ConfigError, match=r"has 0\.0 GB free; the export needs 0\.0 GB"):
        read_checkpoint(checkpoint, None, tmp_path / "deep" / "out")
