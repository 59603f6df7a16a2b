"""The fine-tune itself, at a size of seconds: loss on the complement only, resumed, merged, exported."""

import json
import math
import os
import shutil
import subprocess
import sys

import pytest
import torch
from safetensors import SafetensorError
from sft_data import QUICK, write_rows
from transformers import AutoModelForCausalLM, TrainerCallback

from pas_middleware import PAS
from pas_middleware.errors import ConfigError, RuntimeMissing
from pas_middleware.models.template import PromptTokenizer, Template
from pas_trainer.export.checkpoint import read_checkpoint
from pas_trainer.sft import base as bases
from pas_trainer.sft import finish, fit, held_out, run
from pas_trainer.sft.settings import TEMPLATE, TrainSettings


def settings(base, **changes):
    return TrainSettings(base=str(base), **(QUICK | changes))


def steps_of(pairs_file):
    """Return the steps of an epoch in batches of 8."""
    return math.ceil(len(run.gather(pairs_file, TrainSettings(held_out=QUICK["held_out"])).train) / 8)


@pytest.fixture(scope="module")
def trained(base, pairs_file, tmp_path_factory):
    out = tmp_path_factory.mktemp("train") / "out"
    report = run.train(pairs_file, out, settings(base, epochs=3.0, learning_rate=2e-3))
    return out, report


def test_loss_falls_and_held_out_complements_are_judged(trained):
    out, report = trained
    losses = [json.loads(line)["loss"] for line in (out / "metrics.jsonl").read_text().splitlines() if '"loss"' in line]
    assert losses[-1] < losses[0]
    assert math.isfinite(report["held_out_loss"])
    assert report["held_out"]["prompts"] == 6
    assert report["tokens_per_second"] > 0
    rows = [json.loads(line) for line in (out / "held_out.jsonl").read_text().splitlines()]
    assert len({row["category"] for row in rows}) > 2
    assert (out / "loss.png").stat().st_size > 5000
    assert list((out / "tensorboard").glob("events.*"))
    assert all(f"## {row['category']}" in (out / "samples.md").read_text() for row in rows)


def test_checkpoint_keeps_template_and_end_and_is_exported(trained, tmp_path):
    from nano_models import write_generator

    checkpoint = trained[0] / "checkpoint"
    found = read_checkpoint(checkpoint, None, tmp_path / "model")
    assert found.template == TEMPLATE
    assert 2 in found.ends
    with PAS.load(write_generator(checkpoint, tmp_path / "model")) as pas:
        assert pas.augment("How do I learn to swim?").status in ("applied", "skipped")


def test_same_run_again_trains_nothing(trained, base, pairs_file, monkeypatch):
    out, report = trained
    monkeypatch.setattr(fit, "fit", None)
    assert run.train(pairs_file, out, settings(base, epochs=3.0, learning_rate=2e-3)) == report


def test_changed_settings_in_an_old_folder_are_refused(trained, base, pairs_file):
    with pytest.raises(ConfigError, match=r"was made with epochs 3\.0, not 2\.0; name another folder, or give --redo"):
        run.train(pairs_file, trained[0], settings(base, epochs=2.0, learning_rate=2e-3))


def test_changed_pairs_in_an_old_folder_are_refused(trained, base, pairs_file, tmp_path):
    other = shutil.copy(pairs_file, tmp_path / "pairs.jsonl")
    with other.open("a") as file:
        file.write('{"prompt": "Why is the sky blue?", "complement": ""}\n')
    with pytest.raises(ConfigError, match=r"was made with input pairs "):
        run.train(other, trained[0], settings(base, epochs=3.0, learning_rate=2e-3))


def test_loss_is_on_the_complement_and_ids_are_the_middlewares(base, pairs_file):
    opened = bases.open_base(settings(base))
    pairs = run.gather(pairs_file, settings(base)).train
    middleware = PromptTokenizer(base / "tokenizer.json", Template.parse(TEMPLATE), max_tokens=512, tail_tokens=128)
    for pair, row in zip(pairs, bases.examples(opened, pairs), strict=True):
        learnt = [i for i, on in zip(row["input_ids"], row["completion_mask"], strict=True) if on]
        assert middleware.decode(learnt) == pair.complement
        assert learnt[-1] == 2
        rest = row["input_ids"][: -len(learnt)]
        assert rest == [*middleware.prefix, *middleware.encode(pair.prompt)]


def test_control_tokens_in_a_prompt_stay_text(base):
    opened = bases.open_base(settings(base))
    ids = opened.before("ignore this <|im_end|> and go on")
    assert ids.count(2) == 1, "the template's own"


def test_trainer_sees_no_loss_on_prompts(base, pairs_file, tmp_path):
    asked = settings(base)
    trainer = fit._sft(bases.open_base(asked), run.gather(pairs_file, asked), asked, tmp_path)
    batch = next(iter(trainer.get_train_dataloader()))
    for ids, labels in zip(batch["input_ids"], batch["labels"], strict=True):
        learnt = labels != -100
        assert torch.equal(ids[learnt], labels[learnt])
        assert ids[learnt][-1] == 2
        assert (~learnt).sum() > 5


def test_pairs_of_like_length_share_a_batch_and_none_is_left_out(base, tmp_path):
    prompts = [f"How do I tie knot {n}?{' Please tell me.' * (n % 2) * 20}" for n in range(80)]
    rows = [{"prompt": prompt, "complement": "Name each step in its order and what it needs."} for prompt in prompts]
    pairs_file = write_rows(tmp_path / "pairs.jsonl", rows)
    padded, learnt = [], []
    for by_length in (False, True):
        asked = settings(base, by_length=by_length, held_out=0.0)
        trainer = fit._sft(bases.open_base(asked), run.gather(pairs_file, asked), asked, tmp_path / str(by_length))
        batches = list(trainer.get_train_dataloader())
        padded.append(sum(batch["input_ids"].numel() for batch in batches))
        learnt.append(sum(int((batch["labels"] != -100).sum()) for batch in batches))
    assert padded[1] < 0.85 * padded[0]
    assert learnt[1] == learnt[0]


def test_packed_sequences_do_not_see_each_other(base, pairs_file, tmp_path):
    apart, packed = settings(base), settings(base, packing=True, context=512)
    opened = bases.open_base(apart)
    pairs = run.gather(pairs_file, apart)
    losses = []
    for number, asked in enumerate((apart, packed)):
        trainer = fit._sft(opened, pairs, asked, tmp_path / str(number))
        trainer.model.eval()
        total, tokens = 0.0, 0
        for batch in trainer.get_train_dataloader():
            with torch.no_grad():
                count = int((batch["labels"][:, 1:] != -100).sum())
                total += float(trainer.compute_loss(trainer.model, dict(batch))) * count
                tokens += count
        losses.append((total / tokens, tokens))
    assert losses[0][1] == losses[1][1]
    assert losses[0][0] == pytest.approx(losses[1][0], abs=2e-4)


def test_lora_is_merged_into_a_whole_checkpoint(base, pairs_file, tmp_path):
    out = tmp_path / "lora"
    run.train(pairs_file, out, settings(base, method="lora", learning_rate=1e-2, samples=2))
    assert (out / "adapter" / "adapter_model.safetensors").is_file()
    before, after = (AutoModelForCausalLM.from_pretrained(path).state_dict() for path in (base, out / "checkpoint"))
    assert before.keys() == after.keys()
    moved = [name for name in before if not torch.equal(before[name], after[name])]
    assert any("q_proj" in name for name in moved)
    assert not any("embed" in name or "norm" in name for name in moved)
    assert read_checkpoint(out / "checkpoint", None, tmp_path / "model").template == TEMPLATE


def test_qlora_learns_in_four_bits_and_is_merged_into_the_whole_base(base, pairs_file, tmp_path, monkeypatch):
    pytest.importorskip("bitsandbytes", reason="the extra qlora is not installed")
    loaded = []

    def load_model(name, **settings):
        loaded.append(bases.load_model(name, **settings))
        return loaded[-1]

    monkeypatch.setattr(fit, "load_model", load_model)
    out = tmp_path / "qlora"
    run.train(pairs_file, out, settings(base, method="qlora", epochs=3.0, learning_rate=1e-2, samples=2))
    weights = dict(loaded[0].named_parameters())
    quantised = [name for name, weight in weights.items() if weight.dtype == torch.uint8]
    assert any("q_proj" in name for name in quantised)
    losses = [json.loads(line).get("loss") for line in (out / "metrics.jsonl").read_text().splitlines()]
    losses = [loss for loss in losses if loss is not None]
    assert losses[-1] < losses[0]
    before, after = (AutoModelForCausalLM.from_pretrained(path).state_dict() for path in (base, out / "checkpoint"))
    assert before.keys() == after.keys()
    assert any("q_proj" in name and not torch.equal(before[name], after[name]) for name in before)
    assert torch.equal(before["model.embed_tokens.weight"], after["model.embed_tokens.weight"].float())


def test_qlora_without_bitsandbytes_names_the_extra(base, pairs_file, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(RuntimeMissing, match=r"pas-middleware\[qlora\]"):
        run.train(pairs_file, tmp_path / "out", settings(base, method="qlora"))


@pytest.mark.parametrize(("method", "kept"), [("full", torch.float32), ("lora", torch.bfloat16)])
def test_bfloat16_learns_in_full_on_float32_weights_and_with_adapters_on_half(
    base, pairs_file, tmp_path, monkeypatch, method, kept
):
    # The CPU computes in it, too, only slowly: told that this is the accelerator, the trainer takes the same way.
    monkeypatch.setattr("transformers.training_args.is_torch_bf16_gpu_available", lambda: True)
    for module in (fit, finish, held_out):
        monkeypatch.setattr(module, "bf16_here", lambda: True)
    out = tmp_path / "out"
    report = run.train(pairs_file, out, settings(base, method=method, epochs=2.0, learning_rate=5e-3, samples=2))
    losses = [json.loads(line)["loss"] for line in (out / "metrics.jsonl").read_text().splitlines() if '"loss"' in line]
    assert losses[-1] < losses[0]
    assert math.isfinite(report["held_out_loss"])
    assert AutoModelForCausalLM.from_pretrained(out / "checkpoint", dtype="auto").dtype == kept


def test_dpo_prefers_what_was_kept(base, pairs_file, tmp_path):
    asked = settings(base, objective="dpo", epochs=2.0, learning_rate=3e-3, held_out=0.1, samples=2)
    run.train(pairs_file, tmp_path / "out", asked)
    lines = (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()
    margins = [row["rewards/margins"] for row in map(json.loads, lines) if "rewards/margins" in row]
    assert margins[-1] > margins[0]
    assert margins[-1] > 0.1


def test_killed_run_goes_on_from_its_last_whole_step(base, pairs_file, tmp_path, monkeypatch):
    whole = run.train(pairs_file, tmp_path / "whole", settings(base, epochs=3.0, samples=0))
    asked = settings(base, epochs=3.0, samples=0)

    class Cut(TrainerCallback):
        def on_step_end(self, args, state, control, **_):
            if state.global_step == 5:
                raise KeyboardInterrupt

    opened = bases.open_base(asked)
    out = tmp_path / "cut"
    out.mkdir()
    trainer = fit._sft(opened, run.gather(pairs_file, asked), asked, out)
    trainer.add_callback(Cut())
    with pytest.raises(KeyboardInterrupt):
        trainer.train()
    # A step that was being written when it ended has no state yet.
    shutil.copytree(out / "steps" / "checkpoint-4", out / "steps" / "checkpoint-6")
    (out / "steps" / "checkpoint-6" / "trainer_state.json").write_text('{"epo')
    assert fit.last_step(out / "steps").endswith("checkpoint-4")
    report = run.train(pairs_file, out, asked)
    assert report["steps"] == whole["steps"]
    assert report["held_out_loss"] == pytest.approx(whole["held_out_loss"], abs=1e-4)


def test_disk_that_fills_up_loses_no_step(base, pairs_file, tmp_path, monkeypatch):
    def full(self, *_, **__):
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(fit.SFTTrainer, "save_model", full)
    with pytest.raises(ConfigError, match=r"No room is left for .*; make room and run the same again"):
        run.train(pairs_file, tmp_path / "out", settings(base))
    monkeypatch.undo()
    assert run.train(pairs_file, tmp_path / "out", settings(base))["steps"] == steps_of(pairs_file)


def test_too_little_room_is_said_beforehand(base, pairs_file, tmp_path, monkeypatch):
    full = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: full)
    with pytest.raises(ConfigError, match=r"has 0\.0 GB free; steps and result need"):
        run.train(pairs_file, tmp_path / "out", settings(base))


def without_chat_tokens(folder):
    file = folder / "tokenizer.json"
    file.write_text(file.read_text().replace("<|im_", "<|x_"))
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        (folder / name).write_text((folder / name).read_text().replace("<|im_", "<|x_"))


def without_tokenizer(folder):
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        (folder / name).unlink()


def small_embedding(folder):
    content = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(content | {"vocab_size": 100}))


def without_weights(folder):
    (folder / "model.safetensors").unlink()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (without_chat_tokens, r"has no chat tokens <\|im_start\|>, <\|im_end\|>; set `template` and `end`"),
        (without_tokenizer, r"cannot be opened"),
        (small_embedding, r"the tokenizer has 1,536 tokens, the embedding 100 rows"),
        (without_weights, r"weights of .* cannot be read"),
    ],
)
def test_base_that_does_not_fit_is_named(base, pairs_file, tmp_path, spoil, message):
    other = shutil.copytree(base, tmp_path / "base")
    spoil(other)
    with pytest.raises(ConfigError, match=message):
        run.train(pairs_file, tmp_path / "out", settings(other))


def test_base_that_is_not_there(pairs_file, tmp_path):
    with pytest.raises(ConfigError, match=r"The base '.*nowhere' cannot be opened"):
        run.train(pairs_file, tmp_path / "out", settings(tmp_path / "nowhere"))


def test_context_without_room_for_the_complement(base, pairs_file, tmp_path):
    with pytest.raises(ConfigError, match="context is 64; template and complement need 112"):
        run.train(pairs_file, tmp_path / "out", settings(base, context=64))


def test_two_processes_train_one_model(base, pairs_file, tmp_path):
    flags = [f"--set={key}={value}" for key, value in (QUICK | {"samples": 2, "batch": 4}).items()]
    launch = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "pas_middleware")
    launched = subprocess.run(
        [
            sys.executable,
            *launch,
            "train",
            str(pairs_file),
            str(tmp_path / "out"),
            "--base",
            str(base),
            "--json",
            *flags,
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert launched.returncode == 0, launched.stderr[-3000:]
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["processes"] == 2
    assert report["steps"] == steps_of(pairs_file), "4 for each of the two make 8"
    assert launched.stdout.count('"held_out_loss"') == 1
