"""Real sessions of a small generator: alone and among others, streamed, late, cancelled, closed, forked."""

import json
import multiprocessing
import os
import random
import shutil
import threading
import time

import pytest

import nano_models
from pas_middleware import PAS, Settings
from pas_middleware.errors import (
    AugmentationError,
    ConfigError,
    DeadlineExceeded,
    ModelCorrupt,
    ModelIncompatible,
    RuntimeMissing,
)
from pas_middleware.limits import Deadline
from pas_middleware.models.base import Request
from pas_middleware.models.directory import write_manifest
from pas_middleware.models.load import load_model
from pas_middleware.settings import Sampling

PAIRS = nano_models.known_pairs()


@pytest.fixture(scope="module")
def model(toy_generator):
    model = load_model(toy_generator, "cpu")
    yield model
    model.close()


def request(row, **kwargs):
    return Request(row["prompt"], row["language"], **kwargs)


def said(model, *requests, deadline=None):
    return [p.complement for p in model.propose(requests, deadline or nano_models.unhurried())]


def changed(folder, out, change):
    """Return a copy of a model directory with another `pas.json` and a manifest that fits it."""
    shutil.copytree(folder, out)
    config = json.loads((out / "pas.json").read_text())
    change(config)
    (out / "pas.json").write_text(json.dumps(config))
    (out / "manifest.json").unlink()
    write_manifest(out)
    return out


def test_it_says_what_it_learnt(model):
    assert said(model, *map(request, PAIRS)) == [row["complement"] for row in PAIRS]


def test_info_says_what_it_is(model, toy_generator):
    info = model.info
    assert (info.kind, info.name, info.device, info.deadline_ms) == ("generator", "toy-generator", "cpu", 2000)
    assert info.bytes > (toy_generator / "model.onnx").stat().st_size
    assert info.made["architecture"] == "Qwen2ForCausalLM"


def test_two_hundred_random_arrivals_equal_each_alone(model):
    rng = random.Random(0)
    # Cut and joined prompts are unknown to it: what it then says takes all its tokens, and differs for each.
    prompts = [rng.choice(PAIRS)["prompt"][: rng.randint(1, 60)] + rng.choice(PAIRS)["prompt"] for _ in range(200)]
    alone = {prompt: said(model, Request(prompt, "en"))[0] for prompt in prompts}
    found = {}

    def ask(mine):
        for prompt, pause in mine:
            time.sleep(pause)
            found[prompt] = said(model, Request(prompt, "en"))[0]

    threads = [
        threading.Thread(target=ask, args=([(prompt, rng.random() * 0.004) for prompt in prompts[start::16]],))
        for start in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == alone
    assert len(set(alone.values())) > 50


def test_sampling_depends_on_seed_and_prompt_not_on_the_neighbours(model):
    hot = Sampling(temperature=1.5, seed=3)
    rows = [request({"prompt": row["prompt"] + " Why?", "language": "en"}, sampling=hot) for row in PAIRS[:8]]
    alone = [said(model, row)[0] for row in rows]
    assert said(model, *rows) == alone
    other = [
        request({"prompt": row.prompt, "language": "en"}, sampling=Sampling(temperature=1.5, seed=4)) for row in rows
    ]
    assert said(model, *other) != alone


def test_text_grows_piece_by_piece(model):
    pieces = []
    row = next(row for row in PAIRS if row["language"] == "zh")
    assert said(model, request(row, on_text=pieces.append)) == [row["complement"]]
    assert len(pieces) > 5
    assert all(row["complement"].startswith(piece) for piece in pieces)
    assert pieces[-1] == row["complement"]


def test_deadline_that_is_over_fails_at_once(model):
    with pytest.raises(DeadlineExceeded):
        model.propose([request(PAIRS[0])], Deadline.after(0, time.monotonic))
    assert said(model, request(PAIRS[0])) == [PAIRS[0]["complement"]]


def test_late_one_of_several_fails_alone(model, monkeypatch):
    from pas_middleware.models import generator

    real = generator.Generation

    def late(request, tokenizer, limits, deadline):
        made = real(request, tokenizer, limits, deadline)
        if request.prompt == PAIRS[1]["prompt"]:
            made.deadline = Deadline.after(0, time.monotonic)
        return made

    monkeypatch.setattr(generator, "Generation", late)
    first, second = model.propose([request(PAIRS[0]), request(PAIRS[1])], nano_models.unhurried())
    assert first.complement == PAIRS[0]["complement"]
    assert isinstance(second.error, DeadlineExceeded)


def test_cancelled_request_frees_its_row(model):
    deadline = nano_models.unhurried()

    def leave(text):
        deadline.cancel()

    with pytest.raises(AugmentationError):
        model.propose([request(PAIRS[0], on_text=leave)], deadline)
    assert said(model, *map(request, PAIRS[:10])) == [row["complement"] for row in PAIRS[:10]]


def test_closed_model_opens_again(toy_generator):
    model = load_model(toy_generator, "cpu")
    model.close()
    assert model._session is None
    assert said(model, request(PAIRS[0])) == [PAIRS[0]["complement"]]
    model.close()


def _in_the_child(pas, queue):
    result = pas.augment(PAIRS[0]["prompt"])
    queue.put((result.status, result.complement))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_forked_child_opens_its_own(toy_generator):
    with PAS.load(toy_generator, settings=Settings(deadline_ms=60_000)) as pas:
        assert pas.augment(PAIRS[1]["prompt"]).applied
        context = multiprocessing.get_context("fork")
        queue = context.SimpleQueue()
        child = context.Process(target=_in_the_child, args=(pas, queue))
        child.start()
        child.join(60)
        assert child.exitcode == 0
        assert queue.get() == ("applied", PAIRS[0]["complement"])
        assert pas.augment(PAIRS[2]["prompt"]).applied


@pytest.mark.parametrize("device", ["cuda", "tensorrt"])
def test_gpu_that_is_not_there_is_an_error_and_auto_is_not(toy_generator, monkeypatch, device):
    monkeypatch.setattr("pas_middleware.models.session._has", lambda provider: False)
    with pytest.raises(RuntimeMissing, match=rf'{device} was asked for.*pas-middleware\[cuda\].*device="cpu"'):
        load_model(toy_generator, device)
    model = load_model(toy_generator, "auto")
    assert model.info.device == "cpu"
    model.close()


@pytest.mark.parametrize("device", ["cuda", "tensorrt"])
def test_provider_that_onnxruntime_drops_silently_is_an_error(toy_generator, monkeypatch, device):
    # Here it is told that the provider is there, opens the graph on the CPU and says so in a log line alone.
    monkeypatch.setattr("pas_middleware.models.session._has", lambda provider: True)
    with pytest.raises(RuntimeMissing, match=f"{device} was asked for"):
        load_model(toy_generator, device)


def test_graph_made_for_cuda_is_refused_on_the_cpu(toy_generator, tmp_path):
    folder = changed(toy_generator, tmp_path / "m", lambda config: config["graph"].update(device="cuda"))
    for device in ("cpu", "auto"):
        with pytest.raises(ModelIncompatible, match="was exported for CUDA; export it again with --device cpu"):
            load_model(folder, device)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda c: c.pop("template"), ModelCorrupt, r"pas\.json .* malformed: KeyError\('template'\)"),
        (lambda c: c.update(template="no slot"), ModelCorrupt, "slot"),
        (lambda c: c.update(ends="two"), ModelCorrupt, "malformed"),
        (lambda c: c["limits"].update(max_tokens="many"), ModelCorrupt, "malformed"),
        (lambda c: c["limits"].update(max_words=float("inf")), ModelCorrupt, "malformed: OverflowError"),
        (lambda c: c["graph"].pop("layers"), ModelCorrupt, "malformed"),
        (lambda c: c["graph"].update(style="woven"), ModelIncompatible, "style 'woven'; export it again"),
        (lambda c: c["graph"].update(layers=7), ModelCorrupt, "cannot be run"),
        (lambda c: c["graph"].update(head_dim=5), ModelCorrupt, "cannot be run"),
    ],
)
def test_recipe_that_does_not_fit_is_refused_when_it_is_loaded(toy_generator, tmp_path, change, error, message):
    folder = changed(toy_generator, tmp_path / "m", change)
    with pytest.raises(error, match=message):
        load_model(folder, "cpu")


def test_rows_that_pas_json_names_are_used(toy_generator, tmp_path):
    folder = changed(toy_generator, tmp_path / "m", lambda config: config["graph"].update(rows=2))
    model = load_model(folder, "cpu")
    assert model.info.threads == 2
    assert said(model, *map(request, PAIRS[:5])) == [row["complement"] for row in PAIRS[:5]]
    model.close()


def test_over_long_writing_is_cut_at_a_sentence_by_the_guard(toy_generator):
    with PAS.load(toy_generator, settings=Settings(max_words=12, deadline_ms=60_000)) as pas:
        for row in PAIRS:
            result = pas.augment(row["prompt"])
            assert result.reason in ("", "guard_words")
            if result.applied:
                assert row["complement"].startswith(result.complement)


@pytest.mark.parametrize("threads", [0, -1, 1.5, "2"])
def test_threads_that_are_no_number_are_refused(toy_generator, threads):
    with pytest.raises(ConfigError, match="threads is"):
        PAS.load(toy_generator, threads=threads)


def test_threads_change_nothing_but_the_time(toy_generator):
    with PAS.load(toy_generator, threads=1, settings=Settings(deadline_ms=60_000)) as pas:
        assert pas.augment(PAIRS[0]["prompt"]).complement == PAIRS[0]["complement"]
